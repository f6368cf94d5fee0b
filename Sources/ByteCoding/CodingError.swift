/// Why bytes could not be read as the value they claim to be.
///
/// Carries evidence only; bytes from a socket or a file never trap.
public enum CodingError: Error, Equatable, Sendable {
    /// A field needs more bytes than are left.
    case truncated(field: StaticText, needed: Int, available: Int)
    /// A declared length or count exceeds its bound; nothing was allocated for it.
    case tooLong(field: StaticText, length: UInt64, limit: Int)
    /// A byte or number is not among the field's values.
    case invalid(field: StaticText, value: UInt64)
    /// Bytes are left over behind the value.
    case trailingBytes(count: Int)

    /// The name of a field, fixed at compile time.
    public struct StaticText: Equatable, Sendable, ExpressibleByStringLiteral,
        CustomStringConvertible
    {
        /// The text itself.
        public let description: String

        /// Wraps a literal.
        public init(stringLiteral value: String) {
            description = value
        }
    }
}

extension CodingError: CustomStringConvertible {
    /// What is wrong, with the figures.
    public var description: String {
        switch self {
        case .truncated(let field, let needed, let available):
            "\(field) needs \(needed) bytes, \(available) are left"
        case .tooLong(let field, let length, let limit):
            "\(field) declares \(length), the limit is \(limit)"
        case .invalid(let field, let value):
            "\(field) cannot be \(value)"
        case .trailingBytes(let count):
            "\(count) bytes are left over"
        }
    }
}
