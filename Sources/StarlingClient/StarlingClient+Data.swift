internal import ByteCoding
internal import Causality
internal import ClientProtocol
internal import ClusterPrimitives
internal import Partitioning
internal import Synchronization

extension StarlingClient {
    /// Reads a key.
    ///
    /// - Returns: a result without values where the key is absent.
    /// - Throws: `StarlingError`, `notFound` only for an unknown keyspace.
    public func get(
        _ key: [UInt8],
        in keyspace: String,
        options: ReadOptions = ReadOptions()
    ) async throws(StarlingError) -> GetResult {
        try await get(key, in: keyspace, options: options, from: nil)
    }

    /// Reads one node's own copy of a key, without asking or repairing the others.
    ///
    /// - Throws: `notFound` where there is no such node or keyspace.
    public func getOwnCopy(
        of key: [UInt8],
        in keyspace: String,
        from node: String,
        options: ReadOptions = ReadOptions()
    ) async throws(StarlingError) -> GetResult {
        try await get(key, in: keyspace, options: options, from: node)
    }

    private func get(
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
            try ValueResponse(decoding: body, of: bytes)
        }
        return GetResult(
            values: response.values.map(snapshot.named),
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
    /// - Throws: `StarlingError`; its `written` says whether the value may be there nonetheless.
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
        return try await write(.put, value, for: key, in: keyspace, options: options)
    }

    /// Deletes a key.
    ///
    /// - Throws: `StarlingError`; its `written` says whether the key may be deleted nonetheless.
    public func delete(
        _ key: [UInt8],
        in keyspace: String,
        options: WriteOptions = WriteOptions()
    ) async throws(StarlingError) -> PutResult {
        try await write(.delete, [], for: key, in: keyspace, options: options)
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

    private func write(
        _ kind: ClientKind,
        _ value: [UInt8],
        for key: [UInt8],
        in name: String,
        options: WriteOptions
    ) async throws(StarlingError) -> PutResult {
        try Self.check(key: key)
        guard options.context.count <= WriteRequest.maximumContextSize else {
            throw StarlingError(.invalid, "the context is too long to be one.")
        }
        let (keyspace, snapshot) = try await keyspaceForWrite(name)
        let level = options.consistency ?? keyspace.writeConsistency
        let lifetime = options.lifetime.map { max(1, $0.wholeMilliseconds) } ?? 0
        let isRepeatable = options.retriesUnknownOutcome && keyspace.mode == .lww
        let operation = Operation(
            kind: kind,
            answer: .written,
            repetition: isRepeatable ? .allowed : .harmful,
            isWrite: true,
            timeout: options.timeout,
            isTraced: options.isTraced,
            level: level,
            encode: { milliseconds, writer in
                WriteRequest.encode(
                    keyspace: keyspace.number,
                    level: options.consistency,
                    conflict: options.conflict == .fail ? .fail : .restamp,
                    timeout: milliseconds,
                    lifetime: UInt64(lifetime),
                    key: key,
                    context: options.context,
                    value: value,
                    into: &writer
                )
            }
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
            trace: snapshot.named(response.trace)
        )
    }
}
