import ArgumentParser
import Foundation

/// The command `starling dev logs`.
struct DevLogs: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logs",
        abstract: "Print a node's log.",
        discussion: """
            EXAMPLES:
              starling dev logs dc1-n1
              starling dev logs dc1-n1 --follow
            """
    )

    @Argument(help: "The node's name.")
    var node: String

    @Flag(name: [.short, .long], help: "Go on printing what is added, until Ctrl-C.")
    var follow = false

    @OptionGroup var place: DevDirectoryOption

    func run() async throws {
        let cluster = try place.cluster()
        let node = try cluster.plan.node(node)
        let path = cluster.directory.log(node)
        guard let file = FileHandle(forReadingAtPath: path) else {
            throw CommandError.absent(
                "'\(path)' cannot be read.",
                advice: "A log begins with a node's first start."
            )
        }
        defer { try? file.close() }
        while true {
            while let piece = try file.read(upToCount: 1 << 16), !piece.isEmpty {
                Console.write(Array(piece))
            }
            guard follow else { return }
            try await Task.sleep(for: .milliseconds(100))
        }
    }
}
