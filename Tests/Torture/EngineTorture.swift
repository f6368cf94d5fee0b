import Foundation
import Glibc

/// Proves that what the engine acknowledges is on the disk: a real process, killed, on a real file
/// system, cut off.
@main
struct EngineTorture {
    private static let usage = """
        usage: engine-torture write --directory D --journal J [--seed S] [--writers 4]
                   [--durability group|periodic] [--records N] [--lying-sync]
               engine-torture check --directory D --journal J [--power-cut] [--rebase] [--leave-open]
               engine-torture kill --directory D [--cycles 1000] [--seed S]
                   [--durability group|periodic] [--keep]
               engine-torture power-cut --image FILE [--cycles 200] [--seed S] [--lying-sync]
                   [--durability group|periodic] [--size-mib 1024] [--keep]
        """

    static func main() {
        let words = CommandLine.arguments.dropFirst()
        do {
            switch words.first {
            case "write": exit(try WriteCommand(words.dropFirst()).run())
            case "check": exit(try CheckCommand(words.dropFirst()).run())
            case "kill":
                watchInterrupts()
                exit(try KillCommand(words.dropFirst()).run())
            case "power-cut":
                watchInterrupts()
                exit(try PowerCutCommand(words.dropFirst()).run())
            default: throw TortureError(usage, exitCode: 64)
            }
        } catch {
            FileHandle.standardError.write(Data("engine-torture: \(error)\n".utf8))
            exit((error as? TortureError)?.exitCode ?? 2)
        }
    }
}
