import ByteCoding
import ClientProtocol
import ClusterPrimitives
import Partitioning
package import Replication

/// Upkeep of the store that is under way, and who waits for it.
struct RunningUpkeep {
    var job: UpkeepJob
    /// The keyspaces' names, in the order of the job.
    var names: [String]
    var asker: ControlPlane.Asker
    var began: MonotonicInstant
}

/// Upkeep of this node's own store, one job at a time.
extension ControlPlane {
    /// An operator's request; it is answered when the job is done, however long that takes.
    mutating func beginUpkeep(
        _ body: [UInt8],
        _ asker: Asker,
        at now: Instant,
        into effects: inout ControlEffects
    ) {
        guard
            let request = try? UpkeepRequest(
                decoding: ByteRange(offset: 0, count: body.count),
                of: body.span.bytes
            )
        else { return refuseMalformed(asker, into: &effects) }
        if let running = runningUpkeep {
            let age = (now.monotonic - running.began).components.seconds
            fail(
                asker,
                FailureResponse(
                    code: .overloaded,
                    message: "\(identity.name) has been busy for \(age) s with \(running.summary)",
                    advice: "Nothing was begun. A node does one such job at a time; try again when "
                        + "it is done."
                ),
                into: &effects
            )
            return
        }
        var keyspaces = view.topology.keyspaces
        if let name = request.keyspace {
            keyspaces.removeAll { $0.name != name }
            guard !keyspaces.isEmpty else {
                let names = view.topology.keyspaces.map(\.name)
                fail(
                    asker,
                    FailureResponse(
                        code: .notFound,
                        message: "there is no keyspace '\(name)'",
                        advice: NearestName.of(name, among: names).map { "Did you mean '\($0)'?" }
                            ?? "List them with: starling keyspace list"
                    ),
                    into: &effects
                )
                return
            }
        }
        let job = UpkeepJob(kind: request.kind, keyspaces: keyspaces.map(\.number))
        let running = RunningUpkeep(
            job: job,
            names: keyspaces.map(\.name),
            asker: asker,
            began: now.monotonic
        )
        runningUpkeep = running
        effects.upkeep = job
        effects.notices.append(.upkeepBegan(running.summary))
    }

    /// The upkeep that was asked for is over.
    ///
    /// `results` has one element for each keyspace of the job, in its order.
    package mutating func upkeepFinished(
        _ results: [UpkeepResult],
        at now: Instant,
        into effects: inout ControlEffects
    ) {
        guard let running = runningUpkeep else { return }
        runningUpkeep = nil
        var response = UpkeepResponse(results: [])
        var room = StoreUpkeepReport.maximumListed
        for (name, result) in zip(running.names, results) {
            response.results.append(
                UpkeepResponse.Result(
                    keyspace: name,
                    outcome: result.outcome.response(listing: &room)
                )
            )
        }
        let damaged = zip(running.names, results).filter { $0.1.outcome.isDamaged }.map(\.0)
        effects.notices.append(
            .upkeepEnded(
                running.summary,
                elapsed: now.monotonic - running.began,
                damagedKeyspaces: damaged
            )
        )
        // Who asked may be gone; the world drops the frame then.
        reply(.upkeepReport, to: running.asker, into: &effects) { response.encode(into: &$0) }
    }
}

extension RunningUpkeep {
    /// `compact of keyspace demo`, `verify of 3 keyspaces`.
    var summary: String {
        names.count == 1
            ? "\(job.kind) of keyspace \(names[0])"
            : "\(job.kind) of \(names.count) keyspaces"
    }
}

extension UpkeepResult.Outcome {
    /// Whether damage was found, or was in the way.
    fileprivate var isDamaged: Bool {
        switch self {
        case .done(let report): !report.damage.isEmpty
        case .failed(let cause, _): cause == .corrupt
        }
    }

    /// The same for the client, with lists that are cut to the room that is left.
    fileprivate func response(listing room: inout Int) -> UpkeepResponse.Outcome {
        switch self {
        case .done(var report):
            report.limitLists(to: &room)
            return .done(report)
        case .failed(let cause, let reason):
            let code: FailureCode =
                switch cause {
                case .unknownKeyspace: .notFound
                case .overloaded: .overloaded
                case .corrupt: .corrupt
                case .stopping: .unavailable
                case .failed: .internal
                }
            return .failed(code, message: String(reason.prefix(1000)))
        }
    }
}
