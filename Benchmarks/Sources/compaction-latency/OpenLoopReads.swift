import Foundation
import Synchronization

/// A thread that reads at a fixed rate and notes how long each read took.
final class OpenLoopReads: Sendable {
    private struct State {
        var all: [Double] = []
        /// Where those begin that nobody has asked for yet.
        var fresh = 0
        var failure: (any Error)?
    }

    private let store: SampleStore
    private let interval: Duration
    private let state = Mutex(State())
    private let isOver = Atomic(false)
    private let thread = DispatchGroup()

    init(store: SampleStore, rate: Int) {
        self.store = store
        interval = .seconds(1) / rate
    }

    /// Begins to read.
    func start() {
        thread.enter()
        let reader = Thread { [self] in
            defer { thread.leave() }
            do {
                try read()
            } catch {
                state.withLock { $0.failure = error }
            }
        }
        reader.start()
    }

    private func read() throws {
        var due = ContinuousClock.now
        var turn: UInt64 = 0
        while !isOver.load(ordering: .relaxed) {
            // Waits by looking: a timer would wake later than the times to be measured.
            while ContinuousClock.now < due {}
            try store.read(mix(~turn))
            turn += 1
            let latency = (ContinuousClock.now - due) / .microseconds(1)
            state.withLock { $0.all.append(latency) }
            due += interval
        }
    }

    /// The reads since the last call.
    func takeRecent() -> Latencies {
        state.withLock { state in
            defer { state.fresh = state.all.count }
            return Latencies(state.all[state.fresh...])
        }
    }

    /// Ends the thread; all its reads.
    func finish() throws -> Latencies {
        isOver.store(true, ordering: .relaxed)
        thread.wait()
        return try state.withLock { state in
            if let failure = state.failure { throw failure }
            return Latencies(state.all[...])
        }
    }
}

/// Latencies in microseconds, for their percentiles.
struct Latencies: CustomStringConvertible {
    private let sorted: [Double]

    init(_ values: ArraySlice<Double>) {
        sorted = values.sorted()
    }

    var isEmpty: Bool { sorted.isEmpty }

    /// The latency that a share of all reads did not exceed; 0 without reads.
    func percentile(_ share: Double) -> Double {
        guard let last = sorted.indices.last else { return 0 }
        return sorted[min(last, Int(Double(sorted.count) * share))]
    }

    var description: String {
        [0.5, 0.99, 0.999].map { String(format: "%.1f", percentile($0)) }.joined(separator: " / ")
    }
}
