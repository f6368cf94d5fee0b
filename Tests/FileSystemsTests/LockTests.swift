import FileSystems
import Foundation
import Testing

@Suite struct `Locks` {
    @Test func `one thread at a time has the value`() {
        let turns = 20_000
        let shared = Shared()
        let group = DispatchGroup()
        for _ in 0..<4 {
            group.enter()
            Thread.detachNewThread {
                for _ in 0..<turns {
                    shared.sum.withLock { sum in
                        sum.first += 1
                        sum.second += 1
                    }
                }
                group.leave()
            }
        }
        group.wait()
        let (first, second) = shared.sum.withLock { ($0.first, $0.second) }
        #expect(first == 4 * turns)
        #expect(second == 4 * turns)
    }

    @Test func `an error that is thrown gives the lock back`() {
        struct Refusal: Error {}
        let lock = Lock(1)
        #expect(throws: Refusal.self) {
            try lock.withLock { value throws(Refusal) in
                value = 2
                throw Refusal()
            }
        }
        #expect(lock.withLock { $0 } == 2)
    }

    @Test func `the value goes with the lock`() {
        weak var gone: Shared?
        do {
            let lock = Lock<Shared?>(nil)
            lock.withLock { value in
                value = Shared()
                gone = value
            }
            #expect(gone != nil)
        }
        #expect(gone == nil)
    }

    private final class Shared: Sendable {
        let sum = Lock((first: 0, second: 0))
    }
}
