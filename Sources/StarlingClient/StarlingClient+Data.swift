internal import ByteCoding
internal import Causality
internal import ClientProtocol
internal import ClusterPrimitives
internal import Partitioning
internal import Synchronization

extension StarlingClient {
    /// Reads a key of a keyspace that holds values.
    ///
    /// - Returns: a result without values where the key is absent.
    /// - Throws: `StarlingError`, `notFound` only for an unknown keyspace, `invalid` where the
    ///   keyspace holds counters, sets or maps.
    public func get(
        _ key: [UInt8],
        in keyspace: String,
        options: ReadOptions = ReadOptions()
    ) async throws(StarlingError) -> GetResult {
        try await read(.value, key, in: keyspace, options: options, from: nil)
    }

    /// Reads one node's own copy of a key, whatever it holds, without asking or repairing the
    /// others.
    ///
    /// - Throws: `notFound` where there is no such node or keyspace.
    public func getOwnCopy(
        of key: [UInt8],
        in keyspace: String,
        from node: String,
        options: ReadOptions = ReadOptions()
    ) async throws(StarlingError) -> GetResult {
        try await read(nil, key, in: keyspace, options: options, from: node)
    }

    /// Reads a key of a keyspace that holds this kind, or any for nil: what the level asks for, or
    /// one node's own copy.
    func read(
        _ kind: DataKind?,
        _ key: [UInt8],
        in name: String,
        options: ReadOptions,
        from node: String?
    ) async throws(StarlingError) -> GetResult {
        try Self.check(key: key)
        let (keyspace, snapshot) = try await keyspace(name)
        let level = options.consistency ?? keyspace.readConsistency
        let operation = Operation(
            kind: .get,
            answer: .value,
            repetition: .harmless,
            timeout: options.timeout,
            isTraced: options.isTraced,
            level: node == nil ? level : nil,
            encode: { milliseconds, writer in
                GetRequest.encode(
                    keyspace: keyspace.number,
                    level: options.consistency,
                    scope: node == nil ? .cluster : .ownCopy,
                    kind: kind,
                    timeout: milliseconds,
                    key: key,
                    into: &writer
                )
            }
        )
        let reply: Reply
        if let node {
            reply = try await perform(operation, on: [candidate(named: node)])
        } else {
            reply = try await perform(operation, level, key, keyspace, snapshot)
        }
        let response = try decode(reply, "value") { body, bytes throws(CodingError) in
            let response = try ValueResponse(decoding: body, of: bytes)
            let found = response.contents.kind
            guard kind == nil || found == kind else {
                throw .invalid(field: "kind of contents", value: UInt64(found.rawValue))
            }
            return response
        }
        return GetResult(
            contents: snapshot.named(response.contents),
            context: response.context,
            consistency: response.level,
            coordinator: snapshot.name(of: response.coordinator),
            required: Int(response.required),
            responded: Int(response.responded),
            repaired: Int(response.repaired),
            trace: snapshot.named(response.trace)
        )
    }

    /// Writes a value.
    ///
    /// Where siblings are kept it replaces the values that the options' context has seen, and
    /// without one none.
    ///
    /// - Throws: `StarlingError`; its `written` says whether the value may be there nonetheless.
    ///   `conflict` where more siblings would be kept than are allowed, with those that are there
    ///   and the context that replaces them.
    public func put(
        _ value: [UInt8],
        for key: [UInt8],
        in keyspace: String,
        options: WriteOptions = WriteOptions()
    ) async throws(StarlingError) -> PutResult {
        guard value.count <= Limits.maximumValueSize else {
            throw StarlingError(
                .tooLarge,
                "the value has \(value.count) bytes, the most is \(Limits.maximumValueSize).",
                advice: "Split it over several keys."
            )
        }
        return try await write(value, for: key, in: keyspace, options: options)
    }

    /// Deletes a key, whatever it holds.
    ///
    /// Where siblings, sets or maps are kept, what the options' context has seen is deleted, and
    /// without one what a read at the level of the delete sees: what is written at the same time
    /// stays. A counter begins again at 0.
    ///
    /// - Throws: `StarlingError`; its `written` says whether the key may be deleted nonetheless.
    public func delete(
        _ key: [UInt8],
        in keyspace: String,
        options: WriteOptions = WriteOptions()
    ) async throws(StarlingError) -> PutResult {
        try Self.check(key: key)
        var options = options
        switch try await keyspaceForWrite(keyspace).0.mode {
        case .lww, .counter, .growOnlyCounter: break
        case .siblings, .set, .map, .lastWriterSet:
            options = try await seeing(nil, key, in: keyspace, options: options)
        }
        return try await write(nil, for: key, in: keyspace, options: options)
    }

    /// As `keyspace`, with errors that say what became of the write.
    private func keyspaceForWrite(
        _ name: String
    ) async throws(StarlingError) -> (Keyspace, ClusterSnapshot) {
        do throws(StarlingError) {
            return try await keyspace(name)
        } catch {
            var error = error
            if error.code == .cannotConnect || error.code == .timeout {
                error.advice = "Nothing was written. " + error.advice
            }
            throw error
        }
    }

    /// The options of a removal, with the context of what a read at its level sees where they have
    /// none; the read takes from the time that they allow.
    func seeing(
        _ kind: DataKind?,
        _ key: [UInt8],
        in keyspace: String,
        options: WriteOptions
    ) async throws(StarlingError) -> WriteOptions {
        try Self.check(key: key)
        guard options.context.isEmpty else { return options }
        let start = MonotonicInstant.now
        let timeout = options.timeout ?? configuration.requestTimeout
        let writeLevel = try await keyspaceForWrite(keyspace).0.writeConsistency
        let level = options.consistency ?? writeLevel
        var options = options
        do throws(StarlingError) {
            let read = ReadOptions(consistency: level, timeout: timeout)
            options.context =
                try await self.read(kind, key, in: keyspace, options: read, from: nil).context
        } catch {
            var error = error
            error.advice = "Nothing was written. " + error.advice
            throw error
        }
        let remaining = timeout - (MonotonicInstant.now - start)
        guard remaining >= RetryPolicy.leastTime else {
            throw StarlingError(
                .timeout,
                "reading what is to be removed took all of \(timeout).",
                advice: "Nothing was written. Allow more time, or give the context of a read.",
                level: level
            )
        }
        options.timeout = remaining
        return options
    }

    /// Writes a value, or deletes a key.
    private func write(
        _ value: [UInt8]?,
        for key: [UInt8],
        in name: String,
        options: WriteOptions
    ) async throws(StarlingError) -> PutResult {
        // On the wire 0 stands for no timestamp.
        guard options.timestamp?.milliseconds != 0 else {
            throw StarlingError(
                .invalid,
                "the timestamp is 0, which is no time of a write.",
                advice: "Give milliseconds since 1970, or leave it out for the node's time."
            )
        }
        let lifetime = options.lifetime.map { max(1, $0.wholeMilliseconds) } ?? 0
        return try await write(
            value == nil ? .delete : .put,
            key,
            in: name,
            options: options,
            isIdempotent: { $0.mode == .lww }
        ) { keyspace, milliseconds, writer in
            WriteRequest.encode(
                keyspace: keyspace.number,
                level: options.consistency,
                conflict: options.conflict == .fail ? .fail : .restamp,
                timeout: milliseconds,
                lifetime: UInt64(lifetime),
                timestamp: options.timestamp?.milliseconds ?? 0,
                key: key,
                context: options.context,
                value: value ?? [],
                into: &writer
            )
        }
    }

    /// Sends a write of any kind to a coordinator of its key.
    ///
    /// It is idempotent if doing it twice does no more than once, so that it may be sent again when
    /// its outcome is unknown and the options allow it. `encode` writes the body; it gets the
    /// milliseconds that the coordinator has.
    func write(
        _ kind: ClientKind,
        _ key: [UInt8],
        in name: String,
        options: WriteOptions,
        isIdempotent: (Keyspace) -> Bool,
        encode: @escaping (Keyspace, UInt32, inout ByteWriter) -> Void
    ) async throws(StarlingError) -> PutResult {
        try Self.check(key: key)
        guard options.context.count <= CausalContext.maximumSize else {
            throw StarlingError(.invalid, "the context is too long to be one.")
        }
        let (keyspace, snapshot) = try await keyspaceForWrite(name)
        let level = options.consistency ?? keyspace.writeConsistency
        let isIdempotent = isIdempotent(keyspace)
        let operation = Operation(
            kind: kind,
            answer: .written,
            repetition: isIdempotent && options.retriesUnknownOutcome ? .allowed : .harmful,
            isWrite: true,
            isIdempotent: isIdempotent,
            timeout: options.timeout,
            isTraced: options.isTraced,
            level: level,
            encode: { milliseconds, writer in encode(keyspace, milliseconds, &writer) }
        )
        let reply = try await perform(operation, level, key, keyspace, snapshot)
        let response = try decode(reply, "write's answer", ofWrite: true) {
            body,
            bytes throws(CodingError) in
            try WrittenResponse(decoding: body, of: bytes)
        }
        return PutResult(response, snapshot)
    }

    private func perform(
        _ operation: Operation,
        _ level: ConsistencyLevel,
        _ key: [UInt8],
        _ keyspace: Keyspace,
        _ snapshot: ClusterSnapshot
    ) async throws(StarlingError) -> Reply {
        let candidates = try candidates(
            for: Token(ofKey: key),
            in: keyspace,
            of: snapshot,
            isLocalOnly: level.isLocal
        )
        return try await performKnown(operation, on: candidates, isLocalOnly: level.isLocal)
    }

    /// As `perform`, for requests that need the local datacenter: that none of its nodes can be
    /// reached is told as the level's fault while other nodes can be.
    func performKnown(
        _ operation: Operation,
        on candidates: [CoordinatorChoice.Candidate],
        isLocalOnly: Bool
    ) async throws(StarlingError) -> Reply {
        do throws(StarlingError) {
            return try await perform(operation, on: candidates)
        } catch {
            guard error.code == .cannotConnect, isLocalOnly, let level = operation.level,
                isAnyoneReachable(except: candidates)
            else { throw error }
            var refusal = error
            refusal.code = .unavailable
            refusal.message =
                "\(level) is served by datacenter '\(localDatacenter ?? "")' alone; "
                + error.message
            refusal.advice =
                (operation.isWrite ? "Nothing was written. " : "")
                + "A level that is not local may be served by another datacenter."
            throw refusal
        }
    }

    private func isAnyoneReachable(except candidates: [CoordinatorChoice.Candidate]) -> Bool {
        let pools = state.withLock { $0.pools }
        let tried = candidates.map(\.endpoint)
        return pools.contains { !tried.contains($0.key) && $0.value.isOpen }
    }

    private static func check(key: [UInt8]) throws(StarlingError) {
        if key.isEmpty {
            throw StarlingError(
                .invalid,
                "the key is empty.",
                advice: "A key has \(Limits.keySize.lowerBound) to "
                    + "\(Limits.keySize.upperBound) bytes."
            )
        }
        guard key.count <= Limits.keySize.upperBound else {
            throw StarlingError(
                .tooLarge,
                "the key has \(key.count) bytes, the most is \(Limits.keySize.upperBound).",
                advice: "Use a shorter key, such as a digest of this one."
            )
        }
    }
}

extension PutResult {
    /// What a node answered to a write.
    fileprivate init(_ response: WrittenResponse, _ snapshot: ClusterSnapshot) {
        let shadowed: Shadowed =
            switch response.shadowed {
            case .no: .no
            case .restamped: .restamped
            case .lost: .lost
            }
        self.init(
            version: snapshot.named(response.version),
            winner: response.shadowed == .lost ? snapshot.named(response.winner) : nil,
            context: response.context,
            consistency: response.level,
            coordinator: snapshot.name(of: response.coordinator),
            acknowledged: Int(response.acknowledged),
            required: Int(response.required),
            shadowed: shadowed,
            siblings: Int(response.siblings),
            sum: response.sum,
            trace: snapshot.named(response.trace)
        )
    }
}

extension KeyContents {
    /// The kind that a request asks for.
    fileprivate var kind: DataKind {
        switch self {
        case .values: .value
        case .counter: .counter
        case .set: .set
        case .map: .map
        }
    }
}
