public import FileSystems

/// Why the engine did not do what it was asked.
public enum StorageError: Error, Equatable, Sendable {
    /// Bytes of a file that were on the disk are no longer what was written; nothing was deleted.
    case corruption(file: String, offset: Int, expected: UInt64, found: UInt64, what: String)
    /// A write or sync failed earlier; the engine takes no more writes until it is opened again.
    case poisoned(reason: String)
    /// The memory budget is used up; flush, then try again.
    case overloaded(used: Int, limit: Int)
    /// Another engine has the directory open.
    case locked(holder: String)
    /// The disk is full; room must be made.
    case diskFull(FileSystemError)
    /// A call to the file system failed.
    case io(FileSystemError)
    /// No tree bears the number.
    case unknownTree(UInt32)
    /// A tree bears the number already.
    case treeExists(UInt32)
    /// A tree has a stamp above what its owner's clock allows; nothing was changed.
    case stampAhead(tree: UInt32, newest: UInt64, limit: UInt64)
    /// A tree was made with a rule that `open` was not given.
    case unknownRule(tree: UInt32, name: String)
    /// A key or value is longer than the options allow.
    case tooLarge(what: String, size: Int, limit: Int)
    /// A file was written by another version.
    case unsupportedFormat(file: String, version: UInt32)
    /// A file belongs to another engine, or is none of an engine's.
    case foreignFile(file: String, what: String)
    /// The disk has less room than is kept free for deletions and compaction.
    case diskReserve(limit: Int)
    /// A record deletes a key of a tree whose rule has no deletions of the engine's.
    case notDeletable(tree: UInt32)
    /// Records of the key may have been lost to damage.
    case lost(tree: UInt32, range: LostRange)
    /// The rule of a tree gives no digests of versions.
    case noVersionIndex(tree: UInt32)
    /// The engine was closed.
    case closed

    init(_ error: FileSystemError) {
        switch error.reason {
        case .locked(let holder): self = .locked(holder: holder)
        case .noSpace: self = .diskFull(error)
        default: self = .io(error)
        }
    }
}

extension StorageError: CustomStringConvertible {
    /// What went wrong, and what to do.
    public var description: String {
        switch self {
        case .corruption(let file, let offset, let expected, let found, let what):
            """
            \(file) is damaged at byte \(offset): \(what), expected \(expected), found \(found); \
            restore the directory from a replica or a snapshot
            """
        case .poisoned(let reason):
            "the engine takes no more writes since \(reason); check the disk, then restart"
        case .overloaded(let used, let limit):
            "memtables hold \(used) of \(limit) bytes; wait for a flush"
        case .locked(let holder):
            "the directory is in use by \(holder); stop that process first"
        case .diskFull(let error), .io(let error):
            error.description
        case .unknownTree(let number):
            "there is no tree \(number); create it first"
        case .treeExists(let number):
            "tree \(number) exists already; drop it or take another number"
        case .unknownRule(let tree, let name):
            "tree \(tree) joins by the rule \(name), which was not given; open with that rule"
        case .stampAhead(let tree, let newest, let limit):
            "tree \(tree) has the stamp \(newest), above \(limit); set the clock right"
        case .tooLarge(let what, let size, let limit):
            "the \(what) has \(size) bytes, \(limit) are allowed"
        case .unsupportedFormat(let file, let version):
            "\(file) has format version \(version), this program reads 1; use the newer program"
        case .foreignFile(let file, let what):
            "\(file) does not belong to this engine (\(what)); check the data directory"
        case .diskReserve(let limit):
            """
            less than \(limit) bytes are free on the disk, which are kept for deletions and \
            compaction; make room, then writes go on
            """
        case .notDeletable(let tree):
            "tree \(tree) joins by a rule of its owner; write a value that stands for a deletion"
        case .lost(let tree, let range):
            """
            records of tree \(tree) in \(range) may have been lost to damage; bring them from a \
            replica or a snapshot
            """
        case .noVersionIndex(let tree):
            "the rule of tree \(tree) gives no digests of versions; compare its values"
        case .closed:
            "the engine was closed; open it again"
        }
    }
}

/// Carries a call to the file system out, its failure as the engine's.
func onDisk<Value>(_ body: () throws(FileSystemError) -> Value) throws(StorageError) -> Value {
    do { return try body() } catch { throw StorageError(error) }
}
