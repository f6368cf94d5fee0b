internal import ByteCoding

/// A key with its value and stamp, in an arena.
///
///     entry := stamp: uint64, valueLength: uint32, keyLength: uint16, key, value
///
/// The highest bit of the value's length says that the entry is whole. All in the byte order of the
/// machine and without alignment. The bytes are written by `init(_:_:…)` and never change; the memory
/// lives as long as the arena. So an entry may be read by any thread that got its reference by an
/// acquiring load of a word to which it was stored releasing, and that keeps the arena alive
/// meanwhile.
struct MemtableEntry {
    static let headerSize = 14
    private static let wholeFlag: UInt32 = 1 << 31

    private let base: UnsafeRawPointer

    /// The entry of a reference; nil for 0.
    init?(reference: UInt64) {
        guard
            let base = unsafe UnsafeRawPointer(bitPattern: UInt(truncatingIfNeeded: reference))
        else { return nil }
        unsafe self.base = unsafe base
    }

    /// Writes an entry.
    ///
    /// The key has at most 65535 bytes and the value less than 2 GiB.
    init(
        in arena: borrowing Arena,
        _ key: RawSpan,
        _ value: RawSpan,
        stamp: UInt64,
        isWhole: Bool
    ) {
        let keyCount = key.byteCount
        let valueCount = value.byteCount
        precondition(valueCount < Int(Self.wholeFlag), "a value has less than 2 GiB")
        let memory = unsafe arena.take(Self.headerSize + keyCount + valueCount, alignment: 1)
        unsafe memory.storeBytes(of: stamp, as: UInt64.self)
        let length = UInt32(valueCount) | (isWhole ? Self.wholeFlag : 0)
        unsafe memory.storeBytes(of: length, toByteOffset: 8, as: UInt32.self)
        unsafe memory.storeBytes(of: UInt16(keyCount), toByteOffset: 12, as: UInt16.self)
        // Both lie behind the header, in the bytes taken for them.
        let keyStart = unsafe memory + Self.headerSize
        unsafe key.withUnsafeBytes { bytes in
            guard let start = bytes.baseAddress else { return }
            unsafe keyStart.copyMemory(from: start, byteCount: keyCount)
        }
        unsafe value.withUnsafeBytes { bytes in
            guard let start = bytes.baseAddress else { return }
            unsafe (keyStart + keyCount).copyMemory(from: start, byteCount: valueCount)
        }
        unsafe base = UnsafeRawPointer(memory)
    }

    /// What stands for the entry in a node.
    var reference: UInt64 { unsafe UInt64(UInt(bitPattern: base)) }

    var stamp: UInt64 { unsafe base.loadUnaligned(as: UInt64.self) }

    private var length: UInt32 { unsafe base.loadUnaligned(fromByteOffset: 8, as: UInt32.self) }

    private var valueCount: Int { Int(length & ~Self.wholeFlag) }

    /// Whether the tree holds nothing of the key below this memtable that is not in the entry.
    var isWhole: Bool { length & Self.wholeFlag != 0 }

    private var keyCount: Int {
        Int(unsafe base.loadUnaligned(fromByteOffset: 12, as: UInt16.self))
    }

    /// Lends the key and the value.
    ///
    /// The lengths are those under which `init` wrote the bytes behind them, so both spans lie in
    /// the entry.
    func withBytes<R>(_ body: (_ key: RawSpan, _ value: RawSpan) -> R) -> R {
        let key = unsafe UnsafeRawBufferPointer(start: base + Self.headerSize, count: keyCount)
        let value = unsafe UnsafeRawBufferPointer(
            start: base + Self.headerSize + keyCount,
            count: valueCount
        )
        return unsafe body(key.bytes, value.bytes)
    }

    /// Where the key and the value lie, for as long as the arena lives.
    func place(first: UInt64, second: UInt64) -> EntryPlace {
        unsafe EntryPlace(
            first: first,
            second: second,
            stamp: stamp,
            key: base + Self.headerSize,
            keyCount: keyCount,
            value: base + Self.headerSize + keyCount,
            valueCount: valueCount,
            isWhole: isWhole
        )
    }

    /// The order of the entry's key and another; negative if the entry's comes first.
    func compareKey(with other: RawSpan) -> Int {
        let key = unsafe UnsafeRawBufferPointer(start: base + Self.headerSize, count: keyCount)
        return unsafe compareBytes(key.bytes, other)
    }
}
