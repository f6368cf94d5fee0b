import ByteCoding

/// The bounds on replicated sets and maps; none of them applies to joins.
public enum ReplicatedLimits {
    /// Bytes of a record from which on the operator is warned: 1 MiB.
    ///
    /// Every join reads the whole state, so large ones are slow.
    public static let warningSize = 1024 * 1024
    /// Bytes of an element of a set, at most: 64 KiB.
    public static let elementSize = 64 * 1024
    /// Bytes of a field's name: 1 to 1,024.
    public static let nameSize = 1...1024
    /// Bytes of a register's value, at most: 1 MiB.
    public static let valueSize = 1024 * 1024
}

/// Joins two lists that ascend by a key, each key at most once in each.
///
/// - Parameters:
///   - left: one list.
///   - right: the other.
///   - order: negative, 0 or positive as the first comes before, with or after the second.
///   - join: what becomes of what is in one list or in both; nil to leave it out.
/// - Returns: the joined list, ascending.
func joinAscending<Element>(
    _ left: [Element],
    _ right: [Element],
    by order: (Element, Element) -> Int,
    _ join: (Element?, Element?) -> Element?
) -> [Element] {
    var result: [Element] = []
    result.reserveCapacity(max(left.count, right.count))
    var (one, two) = (0, 0)
    while one < left.count || two < right.count {
        let which =
            one == left.count ? 1 : two == right.count ? -1 : order(left[one], right[two])
        let joined = join(which <= 0 ? left[one] : nil, which >= 0 ? right[two] : nil)
        if let joined { result.append(joined) }
        if which <= 0 { one += 1 }
        if which >= 0 { two += 1 }
    }
    return result
}

/// The order of two runs of bytes; a prefix comes first.
func compareBytes(_ left: [UInt8], _ right: [UInt8]) -> Int {
    left.span.bytes.compare(
        ByteRange(offset: 0, count: left.count),
        to: right.span.bytes,
        ByteRange(offset: 0, count: right.count)
    )
}
