import ByteCoding
import Causality
import ClientProtocol
import ClusterPrimitives
import Partitioning
import Replication

/// What clients ask of keyspaces that are not lww, and how their answers are checked.
extension ClusterSimulation {
    /// The field that is counted in maps.
    private static let field: [UInt8] = Array("count".utf8)

    /// Notes when an operation begins, and what it counts.
    func prepare(_ operation: inout History.Operation, of client: SimulatedClient) {
        client.begunAt = agenda.now
        switch operation.kind {
        case .put where scenario.counts, .delete where scenario.counts:
            if let retry = client.retry, agenda.now - retry.since < Self.retryTime {
                operation.key = retry.key
                operation.increment = retry.increment
            } else {
                client.retry = nil
                let amount = Int64(client.random.number(in: -300...1000))
                operation.increment = counters.begin(amount, key: operation.key)
            }
            operation.begun = counters.tick()
        case _ where scenario.counts:
            operation.begun = counters.tick()
        default:
            operation.begun = updates.tick()
        }
    }

    func encodeUpdate(
        _ operation: History.Operation,
        _ client: SimulatedClient,
        _ keyspace: KeyspaceNumber,
        timeout: Int
    ) -> [UInt8] {
        guard operation.kind != .scan, scenario.mode != .siblings else {
            return encode(operation, client, keyspace, timeout: timeout)
        }
        var writer = ByteWriter()
        let kind: ClientKind = operation.kind == .get ? .get : .update
        let frame = writer.beginFrame(
            Frame.Header(kind: kind.rawValue, correlation: client.correlation)
        )
        if operation.kind == .get {
            GetRequest.encode(
                keyspace: keyspace,
                level: operation.level,
                scope: .cluster,
                kind: scenario.mode == .set ? .set : scenario.mode == .map ? .map : .counter,
                timeout: UInt32(timeout),
                key: History.key(operation.key),
                into: &writer
            )
        } else {
            let change = change(operation, client)
            var context: [UInt8] = []
            if case .remove = change { context = client.contexts[operation.key] }
            UpdateRequest.encode(
                keyspace: keyspace,
                level: operation.level,
                timeout: UInt32(timeout),
                key: History.key(operation.key),
                context: context,
                change: change,
                into: &writer
            )
        }
        writer.endFrame(frame)
        return writer.bytes
    }

    private func change(
        _ operation: History.Operation,
        _ client: SimulatedClient
    ) -> UpdateRequest.Change {
        if scenario.mode == .set {
            let element = client.random.pick(UpdateHistory.elements)
            // What a client has not read it cannot remove.
            let canRemove = !client.contexts[operation.key].isEmpty
            let isRemoval = operation.kind == .delete || client.random.chance(1, in: 3)
            return isRemoval && canRemove ? .remove([element]) : .add([element])
        }
        let amount = counters.increments[operation.key][operation.increment].amount
        if scenario.mode == .map { return .change(field: Self.field, .increment(amount)) }
        // Every second increment has no id, and is sent once.
        var id: [UInt8] = []
        if operation.increment % 2 == 0 {
            var writer = ByteWriter()
            writer.uint32(UInt32(operation.increment))
            id = writer.bytes
        }
        return .increment(amount, id: id)
    }

    /// Notes what became of an operation.
    func noteEnd(
        of operation: History.Operation,
        _ effect: History.Effect,
        _ client: SimulatedClient
    ) {
        guard scenario.counts, operation.kind == .put || operation.kind == .delete else {
            return
        }
        let isRetry = client.retry != nil
        let since = client.retry?.since ?? client.begunAt
        client.retry = nil
        switch effect {
        case .refused where !isRetry:
            counters.refuse(operation.increment, key: operation.key)
        case .unknown, .open, .refused:
            let hasID = scenario.mode == .counter && operation.increment % 2 == 0
            if hasID, client.random.chance(3, in: 4) {
                client.retry = (operation.key, operation.increment, since)
            }
        case .done:
            break
        }
    }

    /// Notes an acknowledged write.
    func acknowledged(
        _ response: WrittenResponse,
        _ operation: History.Operation,
        _ keyspace: KeyspaceNumber
    ) {
        if operation.requirement == nil {
            violate(
                "operation \(operation.number) was acknowledged at \(operation.level), which its "
                    + "keyspace cannot meet"
            )
        }
        switch scenario.mode {
        case .counter, .map:
            counters.acknowledge(
                operation.increment,
                key: operation.key,
                operation.requirement
            )
        default:
            guard let context = decoded(response.context, operation.key, keyspace) else { return }
            let wrong = updates.acknowledge(
                response.version,
                key: operation.key,
                operation.requirement,
                context: context
            )
            for problem in wrong { violate("operation \(operation.number): \(problem)") }
        }
    }

    /// Checks a read's answer.
    func judgeContents(
        _ response: ValueResponse,
        _ operation: History.Operation,
        _ keyspace: KeyspaceNumber
    ) {
        guard let context = decoded(response.context, operation.key, keyspace) else { return }
        judge(
            response.contents,
            of: operation.key,
            context: context,
            begin: operation.begun,
            operation.requirement,
            operation
        )
    }

    /// A context that a node handed out.
    private func decoded(
        _ token: [UInt8],
        _ key: Int,
        _ keyspace: KeyspaceNumber
    ) -> CausalContext? {
        let context = contexts.decode(
            ByteRange(offset: 0, count: token.count),
            of: token.span.bytes,
            mode: scenario.mode.records,
            keyspace: keyspace,
            key: History.key(key).span.bytes
        )
        if context == nil { violate("a context of key-\(key) is not the key's") }
        return context
    }

    private func judge(
        _ contents: KeyContents,
        of key: Int,
        context: CausalContext?,
        begin: Int,
        _ requirement: Requirement?,
        _ operation: History.Operation
    ) {
        var wrong: [String] = []
        switch contents {
        case .values(let values):
            for value in values {
                let problem = history.check(
                    value.bytes,
                    key,
                    value.version,
                    scenario.maximumValueSize
                )
                if let problem { wrong.append(problem) }
            }
            wrong += updates.readSiblings(
                key,
                values.map(\.version),
                context: context?.vector,
                begin: begin,
                requirement
            )
        case .counter(let sum):
            if let problem = counters.read(key, sum, begin: begin, requirement) {
                wrong.append(problem)
            }
        case .set(let elements):
            wrong += updates.readSet(
                key,
                elements,
                context: context?.cloud,
                begin: begin,
                requirement
            )
        case .map(let fields):
            var sum: Int64 = 0
            for field in fields where field.name == Self.field {
                if case .counter(let counted) = field.contents { sum = counted }
            }
            if let problem = counters.read(key, sum, begin: begin, requirement) {
                wrong.append(problem)
            }
        }
        for problem in wrong {
            violate("operation \(operation.number) at \(operation.level): \(problem)")
        }
    }

    /// Checks a page of a scan.
    func judgeEntries(
        _ page: PageResponse,
        _ operation: History.Operation,
        _ client: SimulatedClient
    ) {
        var seen = Array(repeating: false, count: scenario.keys)
        for entry in page.entries {
            guard let key = History.number(ofKey: entry.key), seen.indices.contains(key) else {
                violate("a scan brought a key that nobody wrote")
                continue
            }
            seen[key] = true
            judge(
                entry.contents,
                of: key,
                context: nil,
                begin: operation.begun,
                operation.requirement,
                operation
            )
        }
        if client.scansAll, page.next == nil {
            let nothing: KeyContents =
                switch scenario.mode {
                case .counter: .counter(0)
                case .set: .set([])
                case .map: .map([])
                default: .values([])
                }
            for key in seen.indices where !seen[key] {
                judge(
                    nothing,
                    of: key,
                    context: nil,
                    begin: operation.begun,
                    operation.requirement,
                    operation
                )
            }
        }
        client.cursor = page.next ?? .start
    }
}
