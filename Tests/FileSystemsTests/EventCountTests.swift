import FileSystems
import Foundation
import Synchronization
import Testing

@Suite struct `Event count` {
    @Test func `who waits past an old number does not wait`() {
        let count = EventCount()
        let seen = count.now
        count.advance()
        count.wait(past: seen)
        #expect(count.now == seen + 1)
    }

    @Test func `who waits with a limit goes on without an event`() {
        let count = EventCount()
        count.wait(past: count.now, nanoseconds: 1000)
    }

    @Test func `no wake-up is lost between threads that wait for each other`() {
        let turns = 2000
        let count = EventCount()
        let turn = Atomic(0)
        let group = DispatchGroup()
        for me in 0..<4 {
            group.enter()
            Thread.detachNewThread {
                while true {
                    let seen = count.now
                    let now = turn.load(ordering: .acquiring)
                    if now >= turns { break }
                    if now % 4 == me {
                        turn.store(now + 1, ordering: .releasing)
                        count.advance()
                    } else {
                        count.wait(past: seen)
                    }
                }
                group.leave()
            }
        }
        group.wait()
        #expect(turn.load(ordering: .acquiring) == turns)
    }
}
