import NIOPosix
import ObjectStorage
import Replication
import Synchronization

/// The threads on which jobs wait for the disk.
final class DiskThreads: Sendable {
    /// Jobs that may wait; further ones are refused as overloaded.
    static let maximumWaiting = 4096

    private let store: ReplicaStore
    private let latency: ForegroundLatency
    private let pool: NIOThreadPool
    private let waiting = Mutex(0)
    private let lanes = Mutex<[LoopHandle<LaneDriver>]>([])

    init(store: ReplicaStore, latency: ForegroundLatency, threads: Int = 2) {
        self.store = store
        self.latency = latency
        pool = NIOThreadPool(numberOfThreads: threads)
        pool.start()
    }

    /// Names the lanes; to be called before any job is run.
    func start(_ lanes: [LoopHandle<LaneDriver>]) {
        self.lanes.withLock { $0 = lanes }
    }

    /// Runs a job; `LaneDriver.completed` hears of it.
    ///
    /// - Returns: false when too many wait already.
    func run(_ job: ReplicaStore.DeferredJob, for lane: UInt8) -> Bool {
        let isRoom = waiting.withLock { waiting in
            guard waiting < Self.maximumWaiting else { return false }
            waiting += 1
            return true
        }
        guard isRoom else { return false }
        let start = ContinuousClock.now
        pool.submit { state in
            self.waiting.withLock { $0 -= 1 }
            guard state == .active else { return }
            var next: [ReplicaStore.DeferredJob] = []
            var results = self.store.run(job, next: &next)
            self.latency.record(.read, ContinuousClock.now - start)
            for job in next where !self.run(job, for: lane) { results += self.store.refuse(job) }
            self.deliver(results, asker: lane)
        }
        return true
    }

    /// Tells each lane what became of its jobs; updates of several lanes may be made together.
    private func deliver(_ results: [StorageResult], asker: UInt8) {
        let lanes = lanes.withLock { $0 }
        for (index, lane) in lanes.enumerated() {
            let own = results.filter { Int($0.lane ?? asker) == index }
            if !own.isEmpty { lane.execute { $0.completed(own) } }
        }
    }

    /// Ends the threads; jobs that wait are dropped.
    func shutDown() async throws {
        try await pool.shutdownGracefully()
    }
}
