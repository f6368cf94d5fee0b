import ByteCoding
import Causality
import ClientProtocol
import ClusterPrimitives
import NodeCore
import Partitioning

/// A client that asks for one thing after another, now of this node, now of that one.
final class SimulatedClient {
    let index: Int
    var random: SeededRandom
    var connection: Connection?
    var node = 0
    /// Bytes that arrived and are not a whole frame yet.
    var inbox: [UInt8] = []
    /// What it waits for.
    var open: History.Operation?
    var correlation: UInt64 = 0
    /// When it began what it waits for.
    var begunAt: UInt64 = 0
    /// By key: the token of what it saw last.
    var contexts: [[UInt8]]
    var cursor = ScanCursor.start
    /// An increment of unknown outcome that it sends again, with the id of the first time.
    var retry: (key: Int, increment: Int, since: UInt64)?
    /// Whether its scan began at the start and asked for everything.
    var scansAll = false

    init(index: Int, keys: Int, random: SeededRandom) {
        self.index = index
        self.random = random
        contexts = Array(repeating: [], count: keys)
    }
}

extension ClusterSimulation {
    /// How much later than its deadline a request may be answered, in milliseconds.
    private static let slack = 500

    /// Lets the clients begin.
    func startClients(_ keyspace: KeyspaceNumber) {
        for index in 0..<scenario.clients {
            let client = SimulatedClient(
                index: index,
                keys: scenario.keys,
                random: clientRandom.fork()
            )
            clients.append(client)
            pause(client, keyspace)
        }
    }

    private func pause(_ client: SimulatedClient, _ keyspace: KeyspaceNumber) {
        let time = client.random.number(in: 1...(2 * scenario.thinkTime))
        agenda.after(UInt64(time) * 1_000_000) { [unowned self] in
            if isActive { begin(client, keyspace) }
        }
    }

    /// Connects a client that has no connection, or now and then wants another one.
    private func prepare(_ client: SimulatedClient, _ keyspace: KeyspaceNumber) -> Connection? {
        if let connection = client.connection, connection.isOpen,
            !client.random.chance(1, in: 6)
        {
            return connection
        }
        if let connection = client.connection {
            client.connection = nil
            reset(connection)
        }
        let admitting = nodes.filter { $0.process?.isAdmitting == true }
        guard !admitting.isEmpty else { return nil }
        let node = client.random.pick(admitting)
        let port = ClientPort()
        let lane = client.random.below(scenario.lanes)
        guard let connection = connect(port, to: node, lane: lane) else { return nil }
        port.received = { [unowned self, unowned connection] bytes in
            if client.connection === connection { received(bytes, client, keyspace) }
        }
        port.lost = { [unowned self, unowned connection] in
            guard client.connection === connection else { return }
            client.connection = nil
            finish(client, .unknown, keyspace)
        }
        client.connection = connection
        client.node = node.index
        client.inbox = []
        return connection
    }

    private func drawLevel(_ random: inout SeededRandom) -> ConsistencyLevel {
        switch random.below(100) {
        case ..<42: .quorum
        case ..<68: .localQuorum
        case ..<78: .eachQuorum
        case ..<85: .one
        case ..<92: .all
        case ..<96: .localOne
        default: .two
        }
    }

    private func begin(_ client: SimulatedClient, _ keyspace: KeyspaceNumber) {
        guard let connection = prepare(client, keyspace) else {
            pause(client, keyspace)
            return
        }
        let key = client.random.below(scenario.keys)
        let level = drawLevel(&client.random)
        let timeout = [100, 500, 2000][client.random.below(3)]
        let kind: History.Kind =
            switch client.random.below(100) {
            case ..<45: .get
            case ..<90: .put
            case ..<96: History.isLasting(key) ? .put : .delete
            default: .scan
            }
        var operation = history.begin(
            kind,
            key: kind == .scan ? 0 : key,
            level: level,
            datacenter: nodes[client.node].datacenter
        )
        prepare(&operation, of: client)
        client.open = operation
        client.correlation += 1
        trace.add(
            .clientRequest,
            at: agenda.now,
            place: client.index,
            number: UInt64(operation.number)
        )
        let frame =
            scenario.mode == .lww
            ? encode(operation, client, keyspace, timeout: timeout)
            : encodeUpdate(operation, client, keyspace, timeout: timeout)
        send(frame, on: connection, from: 0)
        let limit = timeout + Self.slack
        var life = -1
        if case .node(_, let started, _) = connection.parties[1] { life = started }
        agenda.after(UInt64(limit) * 1_000_000) { [unowned self] in
            guard client.open?.number == operation.number else { return }
            // A node that lost its power is silent; its client gives up like any other.
            if nodes[client.node].life == life {
                violate(
                    "operation \(operation.number) (\(operation.kind) at \(level)) on "
                        + "\(nodes[client.node].name) was not answered within \(limit) ms"
                )
            }
            if let connection = client.connection { reset(connection) }
            client.connection = nil
            finish(client, .unknown, keyspace)
        }
    }

    func encode(
        _ operation: History.Operation,
        _ client: SimulatedClient,
        _ keyspace: KeyspaceNumber,
        timeout: Int
    ) -> [UInt8] {
        let kind: ClientKind =
            switch operation.kind {
            case .get: .get
            case .put: .put
            case .delete: .delete
            case .scan: .scan
            }
        let flags: UInt8 = client.random.chance(1, in: 20) ? 1 : 0
        var writer = ByteWriter()
        let frame = writer.beginFrame(
            Frame.Header(kind: kind.rawValue, flags: flags, correlation: client.correlation)
        )
        switch operation.kind {
        case .get:
            GetRequest.encode(
                keyspace: keyspace,
                level: operation.level,
                scope: .cluster,
                kind: .value,
                timeout: UInt32(timeout),
                key: History.key(operation.key),
                into: &writer
            )
        case .put, .delete:
            let isPut = operation.kind == .put
            let hasContext = client.random.chance(scenario.mode == .lww ? 1 : 2, in: 3)
            let expires =
                isPut && !History.isLasting(operation.key) && client.random.chance(1, in: 8)
            WriteRequest.encode(
                keyspace: keyspace,
                level: operation.level,
                conflict: client.random.chance(1, in: 10) ? .fail : .restamp,
                timeout: UInt32(timeout),
                lifetime: expires ? UInt64(client.random.number(in: 100...5000)) : 0,
                key: History.key(operation.key),
                context: hasContext ? client.contexts[operation.key] : [],
                value: isPut
                    ? History.value(
                        of: operation.number,
                        maximumSize: scenario.maximumValueSize
                    ) : [],
                into: &writer
            )
        case .scan:
            let isWhole = client.random.chance(1, in: 2)
            let entries = isWhole ? scenario.keys + 1 : client.random.number(in: 1...8)
            if isWhole { client.cursor = .start }
            client.scansAll = isWhole
            ScanRequest(
                keyspace: keyspace,
                level: operation.level,
                contents: .values,
                timeout: UInt32(timeout),
                maximumEntries: UInt32(entries),
                maximumSize: 1 << 20,
                start: client.cursor,
                prefix: []
            ).encode(into: &writer)
        }
        writer.endFrame(frame)
        return writer.bytes
    }

    private func received(
        _ bytes: [UInt8],
        _ client: SimulatedClient,
        _ keyspace: KeyspaceNumber
    ) {
        client.inbox.append(contentsOf: bytes)
        let whole = client.inbox
        guard
            case .frame(let header, let body)? = try? Frame.cut(
                whole.span.bytes,
                at: 0,
                limit: Frame.maximumBodySize
            )
        else { return }
        client.inbox = Array(whole[body.end...])
        guard let operation = client.open, header.correlation == client.correlation else {
            violate(
                "client \(client.index) got an answer of kind \(header.kind) to its request "
                    + "\(header.correlation), which it does not wait for"
            )
            return
        }
        trace.add(
            .clientAnswer,
            at: agenda.now,
            place: client.index,
            whole.span.bytes.array(body)
        )
        let effect = judge(header, body, whole.span.bytes, operation, client, keyspace)
        finish(client, effect, keyspace)
    }

    private func finish(
        _ client: SimulatedClient,
        _ effect: History.Effect,
        _ keyspace: KeyspaceNumber
    ) {
        guard let operation = client.open else { return }
        client.open = nil
        if let wrong = history.end(operation, effect) { violate(wrong) }
        noteEnd(of: operation, effect, client)
        pause(client, keyspace)
    }

    /// Checks an answer.
    ///
    /// - Returns: what it says of the operation's effect.
    private func judge(
        _ header: Frame.Header,
        _ body: ByteRange,
        _ bytes: RawSpan,
        _ operation: History.Operation,
        _ client: SimulatedClient,
        _ keyspace: KeyspaceNumber
    ) -> History.Effect {
        do {
            switch (ClientKind(rawValue: header.kind), operation.kind) {
            case (.value?, .get) where scenario.mode != .lww:
                let response = try ValueResponse(decoding: body, of: bytes)
                judgeContents(response, operation, keyspace)
                client.contexts[operation.key] = response.context
                return .done
            case (.written?, .put) where scenario.mode != .lww,
                (.written?, .delete) where scenario.mode != .lww:
                let response = try WrittenResponse(decoding: body, of: bytes)
                client.contexts[operation.key] = response.context
                acknowledged(response, operation, keyspace)
                return .done
            case (.page?, .scan) where scenario.mode != .lww:
                judgeEntries(try PageResponse(decoding: body, of: bytes), operation, client)
                return .done
            case (.value?, .get):
                let response = try ValueResponse(decoding: body, of: bytes)
                judge(response, operation, keyspace)
                client.contexts[operation.key] = response.context
                return .done
            case (.written?, .put), (.written?, .delete):
                let response = try WrittenResponse(decoding: body, of: bytes)
                client.contexts[operation.key] = response.context
                if response.shadowed == .lost {
                    if response.winner <= response.version {
                        violate("operation \(operation.number) lost to an older version")
                    }
                    return .unknown
                }
                let wrong = history.acknowledged(
                    operation,
                    response.version,
                    isBlind: victim?.isRolledBack == true
                )
                if let wrong {
                    violate(wrong)
                }
                return .done
            case (.page?, .scan):
                judge(try PageResponse(decoding: body, of: bytes), operation, client)
                return .done
            case (.failure?, _):
                let failure = try FailureResponse(decoding: body, of: bytes)
                log(
                    "client \(client.index): \(operation.kind) key-\(operation.key) at "
                        + "\(operation.level): \(failure.message)"
                )
                if failure.code == .corrupt || failure.code == .internal {
                    violate("operation \(operation.number) failed: \(failure.message)")
                }
                return failure.written == .no ? .refused : .unknown
            default:
                violate("operation \(operation.number) got an answer of kind \(header.kind)")
                return .unknown
            }
        } catch {
            violate("the answer to operation \(operation.number) cannot be read: \(error)")
            return .unknown
        }
    }

    /// Checks a read's answer.
    func judge(
        _ response: ValueResponse,
        _ operation: History.Operation,
        _ keyspace: KeyspaceNumber
    ) {
        let key = History.key(operation.key)
        let range = ByteRange(offset: 0, count: response.context.count)
        let context = contexts.decode(
            range,
            of: response.context.span.bytes,
            keyspace: keyspace,
            key: key.span.bytes
        )
        guard let version = context?.version else {
            violate("operation \(operation.number) got a context that is not its key's")
            return
        }
        if let value = response.values.first, value.version != version {
            violate("operation \(operation.number) got a value and a context that differ")
        }
        let wrong = history.read(
            operation,
            version,
            response.values.first?.bytes,
            maximumSize: scenario.maximumValueSize
        )
        if let wrong { violate(wrong) }
    }

    private func judge(
        _ page: PageResponse,
        _ operation: History.Operation,
        _ client: SimulatedClient
    ) {
        var seen = Array(repeating: false, count: scenario.keys)
        for entry in page.entries {
            guard let key = (0..<scenario.keys).first(where: { History.key($0) == entry.key })
            else {
                violate("a scan brought a key that nobody wrote")
                continue
            }
            seen[key] = true
            guard let value = entry.contents.values.first else {
                violate("a scan brought key-\(key) without a value")
                continue
            }
            let wrong = history.check(
                value.bytes,
                key,
                value.version,
                scenario.maximumValueSize
            )
            if let wrong { violate("in a scan: \(wrong)") }
            if value.version < operation.floors[key] {
                violate(
                    "scan \(operation.number) at \(operation.level) brought an old version of "
                        + "key-\(key)"
                )
            }
        }
        if client.scansAll, page.next == nil {
            for key in 0..<scenario.keys
            where !seen[key] && History.isLasting(key) && operation.floors[key] > .zero {
                violate("scan \(operation.number) at \(operation.level) missed key-\(key)")
            }
        }
        client.cursor = page.next ?? .start
    }
}
