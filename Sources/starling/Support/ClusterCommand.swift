import ArgumentParser
import Dispatch
import Foundation
import StarlingClient

/// A command that talks to a cluster.
protocol ClusterCommand: AsyncParsableCommand {
    /// Which cluster.
    var connection: ConnectionOptions { get }
    /// How to print.
    var output: OutputOptions { get }

    /// Changes what the profile says about the client, before it is made.
    func adjust(_ configuration: inout ClientConfiguration)

    /// Does the work; what it throws is told as the contract says.
    func execute(_ client: StarlingClient) async throws
}

extension ClusterCommand {
    func adjust(_ configuration: inout ClientConfiguration) {}

    /// Makes the client, does the work and closes the client.
    mutating func run() async throws {
        Interruption.exitOnInterrupt()
        var configuration = try connection.configuration()
        adjust(&configuration)
        let client: StarlingClient
        do throws(StarlingError) {
            client = try StarlingClient(configuration: configuration)
        } catch {
            throw CommandError.configuration(error.message, advice: error.advice)
        }
        defer { client.close() }
        try await execute(client)
    }
}

/// What Ctrl-C does to a command that only asks and prints.
enum Interruption {
    /// Ends the process with the contract's code at the first interrupt.
    static func exitOnInterrupt() {
        signal(SIGINT, SIG_IGN)
        let source = DispatchSource.makeSignalSource(signal: SIGINT, queue: .global())
        source.setEventHandler {
            Console.note("interrupted")
            exit(CommandError.Exit.interrupted.rawValue)
        }
        source.resume()
        // The source lives as long as the process.
        _ = Unmanaged.passRetained(source as AnyObject)
    }
}
