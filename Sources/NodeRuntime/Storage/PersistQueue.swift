import ByteCoding
import Logging
import NIOCore
import NIOPosix
import NodeCore
import ObjectStorage
import Partitioning

/// Makes the control plane's state durable, one thing after another.
///
/// Each save writes a new file whole, so one that failed (a full disk) is tried again until it
/// succeeds; nothing behind it is reported before. Confined to the control plane's loop but for
/// the saving itself, which has a thread of its own.
final class PersistQueue {
    private static let retryPause = TimeAmount.seconds(1)

    private let states: NodeStateStore
    private let store: ReplicaStore
    private let loop: any EventLoop
    private let logger: Logger
    private let pool: NIOThreadPool
    private let persisted: (UInt64) -> Void
    private var waiting: [ControlEffects.Persist] = []
    private var isSaving = false

    /// A queue that saves to these stores.
    ///
    /// `persisted`: hears each ticket, in order, on the loop.
    init(
        states: NodeStateStore,
        store: ReplicaStore,
        loop: any EventLoop,
        pool: NIOThreadPool,
        logger: Logger,
        persisted: @escaping (UInt64) -> Void
    ) {
        self.states = states
        self.store = store
        self.loop = loop
        self.logger = logger
        self.pool = pool
        self.persisted = persisted
    }

    /// Has something made durable.
    func enqueue(_ persist: ControlEffects.Persist) {
        waiting.append(persist)
        saveNext()
    }

    private func saveNext() {
        guard !isSaving, let next = waiting.first else { return }
        isSaving = true
        let states = states
        let store = store
        pool.runIfActive(eventLoop: loop) {
            try PersistQueue.save(next.content, states, store)
        }
        .assumeIsolated()
        .whenComplete { result in
            self.isSaving = false
            switch result {
            case .success:
                self.waiting.removeFirst()
                self.persisted(next.ticket)
                self.saveNext()
            case .failure(let error):
                self.failed(error)
            }
        }
    }

    private func failed(_ error: any Error) {
        logger.error(
            "node state cannot be saved; trying again",
            metadata: ["reason": "\(error)"]
        )
        loop.assumeIsolated().scheduleTask(in: Self.retryPause) { [weak self] in
            self?.saveNext()
        }
    }

    private static func save(
        _ content: ControlEffects.Persist.Content,
        _ states: NodeStateStore,
        _ store: ReplicaStore
    ) throws {
        if case .topology(let bytes) = content {
            try store.adopt(try Topology(decoding: bytes))
        }
        try states.save(content.stored)
    }
}

@available(*, unavailable)
extension PersistQueue: Sendable {}

extension ControlEffects.Persist.Content {
    /// The same as the store of states takes it.
    fileprivate var stored: NodeStateStore.Content {
        switch self {
        case .clockBound(let bound): .clockBound(bound)
        case .acceptor(let bytes): .acceptor(bytes)
        case .topology(let bytes): .topology(bytes)
        case .incarnations(let bytes): .incarnations(bytes)
        case .lostLife(let start): .lostLife(start)
        }
    }
}
