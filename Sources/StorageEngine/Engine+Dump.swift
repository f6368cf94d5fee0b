internal import ByteCoding
public import FileSystems

/// What `Engine.dump` describes, and how much of it.
public struct DumpOptions: Sendable {
    /// The engine's identity; nil takes the one with which the manifest can be read, of those that
    /// the tables' headers name.
    public var identity: UInt64?
    /// Whether each record of the log and each entry of the tables has a line; off.
    public var showsEntries = false
    /// Whether such a line shows the value too, and not its size alone; off.
    public var showsValues = false

    /// The defaults.
    public init() {}
}

extension Engine {
    /// Describes what the files of an engine's directory or of a snapshot hold, line by line.
    ///
    /// It changes nothing, takes no lock and goes on past damage, which gets a line where it is
    /// found. The directory of an engine at work can be described too; what changes meanwhile may
    /// then look like damage. Keys are written as the prefix in hexadecimal, a colon, the key in
    /// hexadecimal and once more as text.
    ///
    /// - Parameters:
    ///   - directory: the engine's or the snapshot's.
    ///   - files: the disk.
    ///   - options: what is described.
    ///   - line: given each line, without its end.
    /// - Throws: `io` if the directory cannot be listed; all other failures are lines.
    public static func dump(
        directory: String,
        on files: any FileSystem,
        options: DumpOptions = DumpOptions(),
        _ line: (String) -> Void
    ) throws(StorageError) {
        let directory = FileNames.normalized(directory)
        let names = try onDisk { () throws(FileSystemError) in try files.list(directory) }
        let dump = Dump(directory: directory, files: files, names: names, options: options)
        line("directory \(directory)")
        let state = dump.manifest(line)
        dump.log(state, line)
        dump.tables(state, line)
        for name in names where !FileNames.isOwn(name) && FileNames.tree(name) == nil {
            line("other \(directory)/\(name)")
        }
    }
}

/// A directory that is being described.
struct Dump {
    let directory: String
    let files: any FileSystem
    let names: [String]
    let options: DumpOptions
    /// What checksums are compared with.
    let identity: UInt64
    /// Whether the manifest's header was written under that identity.
    let isIdentityKnown: Bool

    init(directory: String, files: any FileSystem, names: [String], options: DumpOptions) {
        self.directory = directory
        self.files = files
        self.names = names
        self.options = options
        var candidates: [UInt64] = []
        if let identity = options.identity {
            candidates = [identity]
        } else {
            candidates = Self.identities(directory, files, names) + [0]
        }
        let manifest = try? readWhole(FileNames.manifest(directory), on: files)
        let known = candidates.first { identity in
            manifest.map { Manifest.isHeader($0.span.bytes, of: identity) } ?? false
        }
        identity = known ?? candidates.first ?? 0
        isIdentityKnown = known != nil
    }

    /// The identities that whole headers of tables name, each once.
    private static func identities(
        _ directory: String,
        _ files: any FileSystem,
        _ names: [String]
    ) -> [UInt64] {
        var found: [UInt64] = []
        for tree in names.compactMap(FileNames.tree) {
            let place = FileNames.treeDirectory(tree, in: directory)
            for name in (try? files.list(place)) ?? [] where name.hasSuffix(".sst") {
                let header = try? files.openForReading("\(place)/\(name)")
                    .read(at: 0, count: TableFormat.headerSize)
                guard let header, header.count == TableFormat.headerSize else { continue }
                let span = header.span.bytes
                let checksum = CRC32C.checksum(span.extracting(0..<TableFormat.headerSize - 4))
                let identity = LogFormat.word(span, 16)
                guard
                    LogFormat.word32(span, TableFormat.headerSize - 4) == UInt64(checksum),
                    !found.contains(identity)
                else { continue }
                found.append(identity)
            }
        }
        return found
    }

    /// Whether a record or an entry gets a line, and what stands there for its value.
    func text(of value: RawSpan) -> String {
        options.showsValues
            ? "value \(DumpText.bytes(value.array()))" : "\(value.byteCount) bytes"
    }
}
