internal import Causality
internal import ClientProtocol

extension StarlingClient {
    /// Reads the fields of a map; an absent one has none.
    ///
    /// Where a node is named, its own copy alone is read, without asking or repairing the others.
    ///
    /// - Returns: a result whose contents are `map`.
    /// - Throws: `notFound` for an unknown keyspace or node, `invalid` where the keyspace holds no
    ///   maps.
    public func fields(
        of key: [UInt8],
        in keyspace: String,
        options: ReadOptions = ReadOptions(),
        from node: String? = nil
    ) async throws(StarlingError) -> GetResult {
        try await read(.map, key, in: keyspace, options: options, from: node)
    }

    /// Writes a register of a map: up to 1 MiB under a name of 1 to 1,024 bytes.
    ///
    /// - Returns: how the write went.
    /// - Throws: `StarlingError`; its `written` says whether it may be there nonetheless.
    public func putField(
        _ value: [UInt8],
        for field: [UInt8],
        of key: [UInt8],
        in keyspace: String,
        options: WriteOptions = WriteOptions()
    ) async throws(StarlingError) -> PutResult {
        try Self.check(field: field)
        guard value.count <= ReplicatedLimits.valueSize else {
            throw StarlingError(
                .tooLarge,
                "the value has \(value.count) bytes, the most in a map is "
                    + "\(ReplicatedLimits.valueSize).",
                advice: "Keep it under a key of its own."
            )
        }
        return try await update(
            .change(field: field, .write(value)),
            key,
            in: keyspace,
            options: options
        )
    }

    /// Adds an amount, which may be negative, to a counter of a map.
    ///
    /// It is never sent again when its outcome is unknown, since it might count twice.
    ///
    /// - Returns: how the write went; its `sum` is 0, as for all maps.
    /// - Throws: `StarlingError`; its `written` says whether it may count nonetheless.
    public func incrementField(
        _ field: [UInt8],
        by amount: Int64 = 1,
        of key: [UInt8],
        in keyspace: String,
        options: WriteOptions = WriteOptions()
    ) async throws(StarlingError) -> PutResult {
        try Self.check(field: field)
        return try await update(
            .change(field: field, .increment(amount)),
            key,
            in: keyspace,
            options: options,
            isIdempotent: false
        )
    }

    /// Adds members to a field of a map of kind `set` or `lastWriterSet`: 1 to 10,000, each of up
    /// to 64 KiB.
    ///
    /// - Returns: how the write went; those that were there already change nothing.
    /// - Throws: `invalid` for a kind that has no members; `StarlingError`, whose `written` says
    ///   whether they may be added nonetheless.
    public func addFieldMembers(
        _ members: [[UInt8]],
        to field: [UInt8],
        kind: MapField.Kind = .set,
        of key: [UInt8],
        in keyspace: String,
        options: WriteOptions = WriteOptions()
    ) async throws(StarlingError) -> PutResult {
        try Self.check(field: field)
        try Self.check(members: members)
        let change: MapUpdate =
            try Self.isLastWriter(kind) ? .stampAdded(members) : .add(members)
        return try await update(
            .change(field: field, change),
            key,
            in: keyspace,
            options: options
        )
    }

    /// Removes members from a field of a map of kind `set` or `lastWriterSet`, as far as the
    /// options' context has seen them.
    ///
    /// Without a context, what a read at the level of the write sees is removed.
    ///
    /// - Returns: how the write went; those that are not there change nothing.
    /// - Throws: `invalid` for a kind that has no members; `StarlingError`, whose `written` says
    ///   whether they may be removed nonetheless.
    public func removeFieldMembers(
        _ members: [[UInt8]],
        from field: [UInt8],
        kind: MapField.Kind = .set,
        of key: [UInt8],
        in keyspace: String,
        options: WriteOptions = WriteOptions()
    ) async throws(StarlingError) -> PutResult {
        try Self.check(field: field)
        try Self.check(members: members)
        let change: MapUpdate =
            try Self.isLastWriter(kind) ? .stampRemoved(members) : .remove(members)
        let options = try await seeing(.map, key, in: keyspace, options: options)
        return try await update(
            .change(field: field, change),
            key,
            in: keyspace,
            options: options
        )
    }

    /// Removes the field of a name and kind from a map, as far as the options' context has seen it.
    ///
    /// Without a context, what a read at the level of the write sees is removed. What is changed in
    /// the field at the same time stays.
    ///
    /// - Returns: how the write went; a field that is not there changes nothing.
    /// - Throws: `StarlingError`; its `written` says whether it may be removed nonetheless.
    public func removeField(
        _ field: [UInt8],
        kind: MapField.Kind = .register,
        of key: [UInt8],
        in keyspace: String,
        options: WriteOptions = WriteOptions()
    ) async throws(StarlingError) -> PutResult {
        try Self.check(field: field)
        let options = try await seeing(.map, key, in: keyspace, options: options)
        return try await update(
            .removeField(MapFieldName(field, kind.stored)),
            key,
            in: keyspace,
            options: options
        )
    }

    private static func check(field: [UInt8]) throws(StarlingError) {
        guard !ReplicatedLimits.nameSize.contains(field.count) else { return }
        throw StarlingError(
            field.isEmpty ? .invalid : .tooLarge,
            "the field's name has \(field.count) bytes.",
            advice: "It has \(ReplicatedLimits.nameSize.lowerBound) to "
                + "\(ReplicatedLimits.nameSize.upperBound) bytes."
        )
    }

    private static func isLastWriter(_ kind: MapField.Kind) throws(StarlingError) -> Bool {
        switch kind {
        case .set: return false
        case .lastWriterSet: return true
        case .register, .counter:
            throw StarlingError(
                .invalid,
                "a \(kind) has no members.",
                advice: "Those that have are \(MapField.Kind.set) and "
                    + "\(MapField.Kind.lastWriterSet)."
            )
        }
    }
}
