import ArgumentParser
import FileSystems
import Foundation
import Glibc
import ObjectStorage

/// The command `starling dev wipe`.
///
/// It asks nothing, since its clusters are made to be broken, and scripts break them.
struct DevWipe: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wipe",
        abstract: "Take away all data of a node that does not run, as the loss of its disk does.",
        discussion: """
            Its configuration, certificates and log stay. Started again, it begins a new life with \
            an empty disk: it takes writes, but answers reads as unknown until it is repaired, \
            since it lacks writes that it has acknowledged. The others know that and answer in its \
            place.

            EXAMPLES:
              starling dev wipe dc1-n2 --dry-run     say what would be removed
              starling dev kill dc1-n2 && starling dev wipe dc1-n2
              starling dev start dc1-n2              start it with an empty disk
            """
    )

    @Argument(help: "The node's name.")
    var node: String

    @OptionGroup var place: DevDirectoryOption

    @Flag(help: "Say what would be removed, and remove nothing.")
    var dryRun = false

    @Flag(help: "Taken for habit's sake: nothing is asked anyway.")
    var yes = false

    func run() async throws {
        let cluster = try place.cluster()
        let node = try cluster.plan.node(node)
        guard let data = try DevData(of: node, in: cluster) else {
            Console.print("\(node.name) has no data.")
            return
        }
        if dryRun {
            Console.print("would remove \(data.contents) from '\(data.path)'")
            return
        }
        let contents = data.contents
        try data.remove()
        Console.print("Wiped \(node.name): \(contents) are gone.")
        Console.note(
            "Start it again with `starling dev start \(node.name)`. Until it is repaired it "
                + "answers reads as unknown; the cluster's levels go on without its copies."
        )
    }
}

/// The data directory of a node that does not run, found to be one and to lie where it should.
struct DevData {
    /// Where it lies.
    let path: String
    private let name: String

    /// The data of a node; nil when it has none.
    ///
    /// - Throws: when the node runs, or when what lies there is not a node's data.
    init?(of node: DevPlan.Node, in cluster: DevCluster) throws {
        path = cluster.directory.data(node)
        name = node.name
        if cluster.process(of: node) != nil { throw Self.isRunning(name) }
        guard let target = Self.resolved(path) else {
            // A link that leads nowhere is none of dev's either.
            if Self.type(of: path) != nil { throw foreign(because: "it is a link") }
            return nil
        }
        // Not only the last name may be a link: nothing outside of the directory is touched.
        guard let root = Self.resolved(cluster.directory.path),
            target == "\(root)/nodes/\(name)/data"
        else { throw foreign(because: "it is a link to '\(target)'") }
        let names = try FileManager.default.contentsOfDirectory(atPath: path)
        if names.isEmpty { return nil }
        guard [nil, .typeRegular].contains(Self.type(of: "\(path)/LOCK")) else {
            throw foreign(because: "its LOCK is no file")
        }
        if let other = NodeStateStore.foreignName(among: names) {
            throw foreign(because: "it holds '\(other)', but no node's identity")
        }
    }

    /// How much there is, in words: `12 files (3.4 MiB)`.
    var contents: String {
        var (count, size) = (0, UInt64(0))
        for case let name as String in FileManager.default.enumerator(atPath: path) ?? .init() {
            guard
                let attributes = try? FileManager.default.attributesOfItem(
                    atPath: "\(path)/\(name)"
                ), attributes[.type] as? FileAttributeType != .typeDirectory
            else { continue }
            count += 1
            size += (attributes[.size] as? NSNumber)?.uint64Value ?? 0
        }
        return "\(count) files (\(Figures.size(size)))"
    }

    /// Removes all of it, and leaves an empty directory.
    ///
    /// It is first moved aside as a whole: of half of its files a node could make a life that it
    /// takes for an ordinary one.
    func remove() throws {
        let lock: any FileLock
        do throws(FileSystemError) {
            lock = try PosixFileSystem().lock("\(path)/LOCK")
        } catch {
            if case .locked = error.reason { throw Self.isRunning(name) }
            throw failure("\(error)")
        }
        defer { lock.release() }
        let aside = path + DevDirectory.wipedSuffix
        do {
            if Self.type(of: aside) != nil { try FileManager.default.removeItem(atPath: aside) }
            try FileManager.default.moveItem(atPath: path, toPath: aside)
            try FileManager.default.removeItem(atPath: aside)
            try FileManager.default.createDirectory(
                atPath: path,
                withIntermediateDirectories: false,
                attributes: [.posixPermissions: 0o700]
            )
        } catch {
            throw failure(error.localizedDescription)
        }
    }

    private static func isRunning(_ name: String) -> CommandError {
        CommandError.dev(
            "\(name) runs; a disk is not taken from under a node.",
            advice: "Kill it with `starling dev kill \(name)`, or stop all nodes with "
                + "`starling dev stop`. Nothing was removed."
        )
    }

    private func foreign(because reason: String) -> CommandError {
        CommandError.dev(
            "'\(path)' is not a data directory of `starling dev`: \(reason).",
            advice: "Nothing was removed. Look into it, and remove it by hand if it is yours."
        )
    }

    private func failure(_ text: String) -> CommandError {
        CommandError.dev(
            "the data of \(name) could not be removed: \(text)",
            advice: "Check who owns '\(path)', and wipe again before the node is started."
        )
    }

    /// Where a path leads when all links are followed; nil when that does not exist.
    private static func resolved(_ path: String) -> String? {
        guard let pointer = realpath(path, nil) else { return nil }
        defer { free(pointer) }
        return String(cString: pointer)
    }

    /// What a name stands for, links not followed; nil for nothing.
    private static func type(of path: String) -> FileAttributeType? {
        let attributes = try? FileManager.default.attributesOfItem(atPath: path)
        return attributes?[.type] as? FileAttributeType
    }
}
