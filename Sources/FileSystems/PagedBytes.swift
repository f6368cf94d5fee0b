/// A row of bytes in pages that copies of it share until one of them changes.
///
/// A copy costs a reference a page, a change the page it falls into, and pages of nothing but
/// zeros are one and the same. Every page but the last is full.
///
/// The memory of pages is only touched through the arrays' own buffers, within one call, at
/// offsets that are checked by their subscripts; nothing keeps a pointer.
struct PagedBytes: Sendable {
    private static let pageSize = 1 << 15
    private static let zeros = [UInt8](repeating: 0, count: pageSize)

    private var pages: [[UInt8]] = []
    private(set) var count = 0

    /// The byte at an offset below `count`.
    subscript(offset: Int) -> UInt8 {
        get { pages[offset / Self.pageSize][offset % Self.pageSize] }
        set { pages[offset / Self.pageSize][offset % Self.pageSize] = newValue }
    }

    /// The bytes of a range, as far as they are there.
    func bytes(in range: Range<Int>) -> [UInt8] {
        let wanted = range.clamped(to: 0..<count).count
        return unsafe [UInt8](unsafeUninitializedCapacity: wanted) { buffer, filled in
            let part = unsafe UnsafeMutableRawBufferPointer(
                start: buffer.baseAddress,
                count: wanted
            )
            filled = unsafe copy(from: range.lowerBound, into: part)
        }
    }

    /// Copies the bytes from an offset until `target` is full or they end; returns how many.
    func copy(from offset: Int, into target: UnsafeMutableRawBufferPointer) -> Int {
        let total = max(0, min(target.count, count - offset))
        var copied = 0
        while copied < total {
            let start = (offset + copied) % Self.pageSize
            let part = min(Self.pageSize - start, total - copied)
            unsafe pages[(offset + copied) / Self.pageSize].withUnsafeBytes { page in
                unsafe UnsafeMutableRawBufferPointer(rebasing: target[copied..<copied + part])
                    .copyMemory(
                        from: UnsafeRawBufferPointer(rebasing: page[start..<start + part])
                    )
            }
            copied += part
        }
        return total
    }

    /// Puts bytes at an offset, over what is there and behind it; `offset` is at most `count`.
    mutating func write(_ source: UnsafeRawBufferPointer, at offset: Int) {
        let room = Self.pageSize - count % Self.pageSize
        if offset == count, source.count <= room { return unsafe append(source) }
        var written = min(source.count, count - offset)
        unsafe replace(at: offset, with: UnsafeRawBufferPointer(rebasing: source[..<written]))
        while written < source.count {
            let part = min(Self.pageSize - count % Self.pageSize, source.count - written)
            unsafe append(UnsafeRawBufferPointer(rebasing: source[written..<written + part]))
            written += part
        }
    }

    /// Puts bytes over others that are there.
    mutating func replace(at offset: Int, with bytes: [UInt8]) {
        unsafe bytes.withUnsafeBytes { unsafe replace(at: offset, with: $0) }
    }

    private mutating func replace(at offset: Int, with source: UnsafeRawBufferPointer) {
        var written = 0
        while written < source.count {
            let start = (offset + written) % Self.pageSize
            let part = min(Self.pageSize - start, source.count - written)
            unsafe pages[(offset + written) / Self.pageSize].withUnsafeMutableBytes { page in
                unsafe UnsafeMutableRawBufferPointer(rebasing: page[start..<start + part])
                    .copyMemory(
                        from: UnsafeRawBufferPointer(rebasing: source[written..<written + part])
                    )
            }
            written += part
        }
    }

    /// Appends to the last page, or a new one, what fits into it.
    private mutating func append(_ part: UnsafeRawBufferPointer) {
        if count % Self.pageSize == 0 { pages.append([]) }
        unsafe pages[pages.count - 1].append(contentsOf: part)
        count += part.count
    }

    /// Appends zeros.
    mutating func appendZeros(_ added: Int) {
        var left = added
        while left > 0 {
            let part = min(Self.pageSize - count % Self.pageSize, left)
            if part == Self.pageSize {
                pages.append(Self.zeros)
            } else {
                if count % Self.pageSize == 0 { pages.append([]) }
                pages[pages.count - 1].append(contentsOf: Self.zeros[..<part])
            }
            count += part
            left -= part
        }
    }

    /// Takes away what lies behind the first `size` bytes.
    mutating func truncate(to size: Int) {
        guard size < count else { return }
        pages.removeLast(pages.count - (size + Self.pageSize - 1) / Self.pageSize)
        count = size
        let rest = size % Self.pageSize
        if rest > 0, let last = pages.last { pages[pages.count - 1] = Array(last[..<rest]) }
    }
}
