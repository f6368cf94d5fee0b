internal import Causality
internal import ClientProtocol
internal import ClusterPrimitives
internal import Partitioning

extension StarlingClient {
    /// Sends a change of a counter, a set or a map.
    ///
    /// It is idempotent if making it twice does no more than once, which is so of all but increments
    /// without an id.
    func update(
        _ change: UpdateRequest.Change,
        _ key: [UInt8],
        in keyspace: String,
        options: WriteOptions,
        isIdempotent: Bool = true
    ) async throws(StarlingError) -> PutResult {
        try await write(
            .update,
            key,
            in: keyspace,
            options: options,
            isIdempotent: { _ in isIdempotent }
        ) { keyspace, milliseconds, writer in
            UpdateRequest.encode(
                keyspace: keyspace.number,
                level: options.consistency,
                timeout: milliseconds,
                key: key,
                context: options.context,
                change: change,
                into: &writer
            )
        }
    }

    /// Refuses what no set can hold, and more members than one request can carry.
    static func check(members: [[UInt8]]) throws(StarlingError) {
        guard !members.isEmpty else {
            throw StarlingError(.invalid, "no member is named.", advice: "Name at least one.")
        }
        guard members.count <= UpdateRequest.maximumElements else {
            throw StarlingError(
                .tooLarge,
                "\(members.count) members are named, the most at one time is "
                    + "\(UpdateRequest.maximumElements).",
                advice: "Name fewer at a time."
            )
        }
        for member in members where member.count > ReplicatedLimits.elementSize {
            throw StarlingError(
                .tooLarge,
                "a member has \(member.count) bytes, the most is \(ReplicatedLimits.elementSize).",
                advice: "Use a shorter one, such as a digest of this one."
            )
        }
        let size = members.reduce(0) { $0 + $1.count + 4 }
        guard size <= Limits.maximumValueSize else {
            throw StarlingError(
                .tooLarge,
                "the members have \(size) bytes, the most at one time is "
                    + "\(Limits.maximumValueSize).",
                advice: "Name fewer at a time."
            )
        }
    }
}
