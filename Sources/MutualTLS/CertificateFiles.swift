import Glibc

/// Reads and creates the files of keys and certificates.
enum CertificateFiles {
    /// The largest file read, in bytes; a certificate has about one thousand.
    private static let maximumSize = 1 << 20

    /// Reads a whole file of at most one mebibyte.
    ///
    /// - Throws: `TLSError.fileUnreadable`, naming the file.
    static func read(_ path: String) throws(TLSError) -> [UInt8] {
        try read(path, isSecret: false)
    }

    /// Reads a private key or secret, refusing one that group or others may read or write.
    ///
    /// The mode is that of the opened file, so it cannot change between check and use.
    ///
    /// - Throws: `TLSError.keyReadableByOthers` or `TLSError.fileUnreadable`.
    static func readSecret(_ path: String) throws(TLSError) -> [UInt8] {
        try read(path, isSecret: true)
    }

    private static func read(_ path: String, isSecret: Bool) throws(TLSError) -> [UInt8] {
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else { throw .fileUnreadable(path: path, reason: systemReason()) }
        defer { _ = close(file) }
        var status = stat()
        guard fstat(file, &status) == 0 else {
            throw .fileUnreadable(path: path, reason: systemReason())
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw .fileUnreadable(path: path, reason: "it is not a regular file")
        }
        if isSecret, status.st_mode & 0o077 != 0 {
            throw .keyReadableByOthers(path: path, mode: status.st_mode & 0o7777)
        }
        var contents: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            let count = Glibc.read(file, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw .fileUnreadable(path: path, reason: systemReason()) }
            guard count > 0 else { return contents }
            guard contents.count + count <= maximumSize else {
                throw .fileUnreadable(path: path, reason: "it is larger than one mebibyte")
            }
            contents += chunk[..<count]
        }
    }

    /// Creates a directory and its parents, open to its owner only; one that exists is left alone.
    ///
    /// - Throws: `TLSError.fileUnwritable`.
    static func createDirectory(_ path: String) throws(TLSError) {
        if mkdir(path, 0o700) == 0 { return }
        var reason = errno
        if reason == ENOENT, let slash = path.lastIndex(of: "/"), slash != path.startIndex {
            try createDirectory(String(path[..<slash]))
            if mkdir(path, 0o700) == 0 { return }
            reason = errno
        }
        var status = stat()
        if reason == EEXIST, stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR { return }
        throw .fileUnwritable(path: path, reason: String(cString: strerror(reason)))
    }

    /// One file to be created.
    struct NewFile {
        let path: String
        let contents: [UInt8]
        /// 0600 for keys and secrets, 0644 for certificates.
        let mode: mode_t
    }

    /// Creates all the files or none, and never overwrites one.
    ///
    /// - Throws: `TLSError.fileExists` or `TLSError.fileUnwritable`.
    static func create(_ files: [NewFile]) throws(TLSError) {
        var created: [String] = []
        do throws(TLSError) {
            for file in files {
                try create(file)
                created.append(file.path)
            }
        } catch {
            for path in created { _ = unlink(path) }
            throw error
        }
    }

    private static func create(_ new: NewFile) throws(TLSError) {
        let file = open(new.path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, new.mode)
        guard file >= 0 else {
            guard errno != EEXIST else { throw .fileExists(path: new.path) }
            throw .fileUnwritable(path: new.path, reason: systemReason())
        }
        var written = 0
        while written < new.contents.count {
            let count = new.contents[written...].withUnsafeBytes { bytes in
                write(file, bytes.baseAddress, bytes.count)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw discard(file, new.path) }
            written += count
        }
        // A mask wider or narrower than usual must not change what the reader later insists on.
        guard fchmod(file, new.mode) == 0, fsync(file) == 0 else { throw discard(file, new.path) }
        _ = close(file)
    }

    /// Removes a file that could not be written to its end, and tells why.
    private static func discard(_ file: CInt, _ path: String) -> TLSError {
        let reason = systemReason()
        _ = close(file)
        _ = unlink(path)
        return .fileUnwritable(path: path, reason: reason)
    }

    private static func systemReason() -> String {
        String(cString: strerror(errno))
    }
}
