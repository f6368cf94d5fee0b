import Glibc
import Synchronization

/// Takes Ctrl-C and SIGTERM, which otherwise would end the program at once.
struct Interrupts {
    /// How many have come; a lock-free atomic, so that a signal handler may touch it.
    private static let count = Atomic(0)

    /// Begins to take the signals; a second one ends the program after all.
    init() {
        // Initialized here, because a handler may not.
        Self.count.store(0, ordering: .relaxed)
        for number in [SIGINT, SIGTERM] {
            signal(number) { _ in
                if Interrupts.count.add(1, ordering: .relaxed).newValue > 1 { _exit(130) }
            }
        }
    }

    /// Whether a signal has come.
    var isInterrupted: Bool { Self.count.load(ordering: .relaxed) > 0 }

    /// Does some work, unless a signal comes first.
    ///
    /// - Throws: what the work throws, or exit code 130 when a signal came; the work is cancelled.
    func race(_ work: @escaping @Sendable () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await work() }
            group.addTask {
                while !isInterrupted { try await Task.sleep(for: .milliseconds(50)) }
                throw CommandError("internal", "interrupted.", exit: .interrupted)
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }
}
