/// Where the entry lies at which a cursor stands.
///
/// It owns nothing: who keeps one keeps the cursor too, and takes another when that goes on. So it
/// is copied without counting references.
struct EntryPlace {
    /// The first eight bytes of the ordered key as a number, zeros where it has ended.
    var first: UInt64
    /// The eight bytes behind those.
    var second: UInt64
    var stamp: UInt64
    var key: UnsafeRawPointer
    var keyCount: Int
    var value: UnsafeRawPointer
    var valueCount: Int
    /// Whether it has all that is below its memtable or its table's `wholeBelow`.
    var isWhole: Bool

    /// Lends the ordered key and the value.
    @inline(__always)
    func withBytes<R>(_ body: (_ key: RawSpan, _ value: RawSpan) -> R) -> R {
        let key = unsafe UnsafeRawBufferPointer(start: key, count: keyCount)
        let value = unsafe UnsafeRawBufferPointer(start: value, count: valueCount)
        return unsafe body(key.bytes, value.bytes)
    }
}
