import Foundation
import Glibc

/// Held by the one `starling dev` that makes and starts a cluster, so that a second one waits for
/// it and then finds everything done.
final class DevLock {
    /// The lock's file in a cluster's directory.
    static let name = "dev.lock"

    private var descriptor: Int32

    /// Waits for the lock.
    ///
    /// - Throws: when its file cannot be made, or when another holds it for more than a minute.
    init(in directory: DevDirectory) async throws {
        try? FileManager.default.createDirectory(
            atPath: directory.path,
            withIntermediateDirectories: true
        )
        let file = "\(directory.path)/\(Self.name)"
        descriptor = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw CommandError.dev(
                "'\(file)' cannot be made: \(String(cString: strerror(errno))).",
                advice: "Choose a --dir that can be written to."
            )
        }
        let deadline = ContinuousClock.now + .seconds(60)
        while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
            guard ContinuousClock.now < deadline else {
                throw CommandError.dev(
                    "another 'starling dev' has been starting '\(directory.path)' for a minute.",
                    advice: "Wait for it or stop it."
                )
            }
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    deinit { release() }

    /// Gives the lock back; does nothing the second time.
    func release() {
        guard descriptor >= 0 else { return }
        close(descriptor)
        descriptor = -1
    }
}
