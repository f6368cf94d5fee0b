import Glibc

/// What a node asks of its process before it starts.
enum ProcessSetup {
    /// Raises the limit of open files as far as it goes, and has writes to closed pipes and
    /// sockets fail instead of killing the process.
    ///
    /// - Returns: the open files that are possible now.
    @discardableResult
    static func prepare() -> UInt64 {
        unsafe signal(SIGPIPE, SIG_IGN)
        var limit = rlimit()
        guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 0 }
        limit.rlim_cur = limit.rlim_max
        unsafe setrlimit(RLIMIT_NOFILE, &limit)
        unsafe getrlimit(RLIMIT_NOFILE, &limit)
        return UInt64(limit.rlim_cur)
    }

    /// Bytes from the kernel's generator for secrets.
    ///
    /// - Throws: `NodeError.noRandomness`.
    static func randomBytes(_ count: Int) throws(NodeError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        // Up to 256 bytes come whole or not at all.
        let received = unsafe bytes.withUnsafeMutableBytes { unsafe getrandom($0.baseAddress, $0.count, 0) }
        guard received == count else { throw .noRandomness }
        return bytes
    }

    /// A seed from the kernel.
    ///
    /// - Throws: `NodeError.noRandomness`.
    static func randomSeed() throws(NodeError) -> UInt64 {
        try randomBytes(8).reduce(0) { $0 << 8 | UInt64($1) }
    }
}
