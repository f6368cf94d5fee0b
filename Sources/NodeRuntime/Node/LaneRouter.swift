import NIOCore

/// A driver that lives on one event loop, as other threads may hold it.
struct LoopHandle<Driver>: Sendable {
    private let bound: NIOLoopBound<Driver>
    /// The loop it is confined to.
    let loop: any EventLoop

    /// Wraps a driver; to be called on its loop.
    init(_ driver: Driver, loop: any EventLoop) {
        self.loop = loop
        bound = NIOLoopBound(driver, eventLoop: loop)
    }

    /// Runs `body` on the driver's loop, soon.
    func execute(_ body: @escaping @Sendable (Driver) -> Void) {
        let bound = bound
        loop.execute { body(bound.value) }
    }

    /// Runs `body` on the driver's loop and returns what it returned.
    func call<Value: Sendable>(
        _ body: @escaping @Sendable (Driver) -> Value
    ) async throws -> Value {
        let bound = bound
        return try await loop.submit { body(bound.value) }.get()
    }

    /// The driver; to be called on its loop.
    var here: Driver { bound.value }
}

/// The ways between the loops of one node.
struct LaneRouter: Sendable {
    /// By number.
    var lanes: [LoopHandle<LaneDriver>]
    /// The control plane.
    var control: LoopHandle<ControlDriver>

    /// A lane by its number; nil when there is none.
    func lane(_ number: UInt8) -> LoopHandle<LaneDriver>? {
        Int(number) < lanes.count ? lanes[Int(number)] : nil
    }
}
