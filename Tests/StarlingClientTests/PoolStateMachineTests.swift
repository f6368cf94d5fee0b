import ClusterPrimitives
import Testing

@testable import StarlingClient

@Suite struct `The pool of connections to a node` {
    private let start = MonotonicInstant(nanoseconds: 1_000_000_000)

    private func pool(connections: Int = 2, load: Int = 3) -> PoolStateMachine {
        PoolStateMachine(maximumConnections: connections, maximumLoad: load)
    }

    @Test func `a second connection is opened only when the first one has work`() {
        var pool = pool()
        #expect(pool.lease(at: start) == .open(0))
        pool.release(0)
        #expect(pool.lease(at: start) == .use(0))
        #expect(pool.lease(at: start) == .open(1))
        #expect(pool.lease(at: start) == .use(0))
    }

    @Test func `no connection carries more than its bound`() {
        var pool = pool(connections: 1, load: 2)
        #expect(pool.lease(at: start) == .open(0))
        #expect(pool.lease(at: start) == .use(0))
        #expect(pool.lease(at: start) == .full)
        pool.release(0)
        #expect(pool.lease(at: start) == .use(0))
    }

    @Test func `a node that refuses is dialled again after pauses that grow to a second`() {
        var pool = pool()
        var now = start
        var pauses: [Duration] = []
        for id in 0..<8 {
            #expect(pool.lease(at: now) == .open(id))
            pool.closed(id, at: now)
            #expect(pool.lease(at: now) == .backingOff)
            let before = now
            while pool.isBackingOff(at: now) { now = now + .milliseconds(50) }
            pauses.append(now - before)
        }
        #expect(
            pauses
                == [50, 100, 200, 400, 800, 1000, 1000, 1000].map { Duration.milliseconds($0) }
        )
    }

    @Test func `a connection that was open and ends is replaced at once`() {
        var pool = pool()
        #expect(pool.lease(at: start) == .open(0))
        pool.opened(0)
        pool.closed(0, at: start)
        #expect(pool.lease(at: start) == .open(1))
    }

    @Test func `while one connection is left the node does not back off`() {
        var pool = pool()
        _ = pool.lease(at: start)
        _ = pool.lease(at: start)
        pool.closed(1, at: start)
        #expect(!pool.isBackingOff(at: start))
    }

    @Test func `a silent node is avoided for a while, yet still asked, until it answers`() {
        var pool = pool()
        #expect(pool.lease(at: start) == .open(0))
        pool.opened(0)
        pool.stayedSilent(at: start)
        #expect(pool.isAvoided(at: start) && !pool.isBackingOff(at: start))
        #expect(pool.lease(at: start) == .open(1))
        #expect(!pool.isAvoided(at: start + PoolStateMachine.silencePenalty))
        pool.answered()
        #expect(!pool.isAvoided(at: start))
    }

    @Test func `what comes late from a closed connection changes nothing`() {
        var pool = pool()
        _ = pool.lease(at: start)
        pool.closed(0, at: start)
        let before = pool.connections
        pool.release(0)
        pool.opened(0)
        pool.closed(0, at: start)
        #expect(pool.connections == before)
        #expect(pool.isBackingOff(at: start))
    }
}
