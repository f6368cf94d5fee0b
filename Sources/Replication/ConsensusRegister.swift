package import ByteCoding
package import ClusterPrimitives

/// The number of an attempt to change a register; greater ones win.
package struct Ballot: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// Grows with each attempt; 0 is below every attempt.
    package var counter: UInt64
    /// Who attempts, so that no two proposers ever use the same ballot.
    package var node: NodeID

    /// The attempt of these parts.
    package init(counter: UInt64, node: NodeID) {
        self.counter = counter
        self.node = node
    }

    /// Below every attempt.
    package static let none = Ballot(counter: 0, node: NodeID(0))

    /// Orders by counter, then node.
    package static func < (left: Ballot, right: Ballot) -> Bool {
        (left.counter, left.node) < (right.counter, right.node)
    }

    /// `5.#3`.
    package var description: String { "\(counter).\(node)" }
}

/// What was accepted last: a value and the attempt that brought it.
package struct AcceptedValue: Equatable, Sendable {
    /// The attempt.
    package var ballot: Ballot
    /// The value as its owner encodes it.
    package var value: [UInt8]

    /// A value and the attempt that brought it.
    package init(ballot: Ballot, value: [UInt8]) {
        self.ballot = ballot
        self.value = value
    }
}

/// An acceptor's answer to `prepare`.
package enum PrepareReply: Equatable, Sendable {
    /// It will accept nothing below `ballot`; `accepted` is what it accepted before, if anything.
    case promised(ballot: Ballot, accepted: AcceptedValue?)
    /// It promised `highest`, which is not below `ballot`; nothing was changed.
    case refused(ballot: Ballot, highest: Ballot)
}

/// An acceptor's answer to `accept`.
package enum AcceptReply: Equatable, Sendable {
    /// It holds the value of `ballot`.
    case accepted(ballot: Ballot)
    /// It promised `highest`, which is above `ballot`; nothing was changed.
    case refused(ballot: Ballot, highest: Ballot)
}

/// One voter's part of a consensus register: CASPaxos without a log and without a leader.
///
/// D. Rystov, "CASPaxos: Replicated State Machines without logs" (2018). The owner writes
/// `encode()` to stable storage and syncs it *before* it sends a reply; a reply that was sent
/// binds this voter for ever, over crashes too.
///
///     acceptor := version: uint8 = 1   promised: ballot   isAccepted: uint8 (0 or 1)
///                 [accepted: ballot   value: bytes behind uint32]
///     ballot   := counter: uint64   node: uint16
package struct RegisterAcceptor: Equatable, Sendable {
    /// The most bytes of a value.
    package static let maximumValueSize = 8 * 1024 * 1024
    private static let version: UInt8 = 1

    /// Nothing below this ballot is accepted any more.
    package private(set) var promised = Ballot.none
    /// What was accepted last.
    package private(set) var accepted: AcceptedValue?

    /// A voter that promised and accepted nothing.
    package init() {}

    /// A voter of a register that begins with a value which all voters are given.
    ///
    /// The founding topology is such a value.
    package init(initial value: [UInt8]) {
        accepted = AcceptedValue(ballot: .none, value: value)
    }

    /// Promises `ballot`, if it is above all that was promised or accepted.
    ///
    /// A ballot is promised once: two majorities for one ballot would have to share a voter, so
    /// even a proposer that forgot its past cannot bring two values under one ballot.
    package mutating func prepare(_ ballot: Ballot) -> PrepareReply {
        guard ballot > promised else { return .refused(ballot: ballot, highest: promised) }
        promised = ballot
        return .promised(ballot: ballot, accepted: accepted)
    }

    /// Accepts `value`, unless a greater ballot was promised.
    ///
    /// The same value of the same ballot is accepted again, so that a lost reply costs nothing.
    /// Ballot `none`, a value over `maximumValueSize` and a second value of one ballot come from
    /// no proposer of ours and are refused.
    package mutating func accept(ballot: Ballot, value: [UInt8]) -> AcceptReply {
        guard ballot >= promised, ballot > .none, value.count <= Self.maximumValueSize,
            accepted?.ballot != ballot || accepted?.value == value
        else { return .refused(ballot: ballot, highest: promised) }
        promised = ballot
        accepted = AcceptedValue(ballot: ballot, value: value)
        return .accepted(ballot: ballot)
    }

    /// The bytes to keep.
    package func encode() -> [UInt8] {
        var writer = ByteWriter(capacity: 32 + (accepted?.value.count ?? 0))
        writer.uint8(Self.version)
        writer.uint64(promised.counter)
        writer.uint16(promised.node.rawValue)
        writer.uint8(accepted == nil ? 0 : 1)
        if let accepted {
            writer.uint64(accepted.ballot.counter)
            writer.uint16(accepted.ballot.node.rawValue)
            writer.prefixed(accepted.value)
        }
        return writer.bytes
    }

    /// Reads what `encode` wrote.
    ///
    /// - Throws: `truncated`, `tooLong`, `trailingBytes`; `invalid` for another version or an
    ///   accepted ballot above the promised one.
    package init(decoding bytes: [UInt8]) throws(CodingError) {
        let span = bytes.span.bytes
        var reader = ByteReader(over: span)
        let version = try reader.uint8(in: span, "register version")
        guard version == Self.version else {
            throw .invalid(field: "register version", value: UInt64(version))
        }
        promised = try Self.ballot(&reader, span)
        let isAccepted = try reader.uint8(in: span, "register flag")
        guard isAccepted <= 1 else {
            throw .invalid(field: "register flag", value: UInt64(isAccepted))
        }
        if isAccepted == 1 {
            let ballot = try Self.ballot(&reader, span)
            guard ballot <= promised else {
                throw .invalid(field: "accepted ballot", value: ballot.counter)
            }
            let limit = Self.maximumValueSize
            let value = try reader.prefixed(in: span, limit: limit, "register value")
            accepted = AcceptedValue(ballot: ballot, value: span.array(value))
        }
        try reader.finish()
    }

    private static func ballot(
        _ reader: inout ByteReader,
        _ span: RawSpan
    ) throws(CodingError) -> Ballot {
        let counter = try reader.uint64(in: span, "ballot counter")
        return Ballot(counter: counter, node: NodeID(try reader.uint16(in: span, "ballot node")))
    }
}
