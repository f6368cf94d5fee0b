import ByteCoding
import Testing

@testable import StorageEngine

@Suite struct `Write batches` {
    @Test func `records come back as they were put`() throws {
        var batch = WriteBatch()
        batch.put(tree: 7, prefix: 0x0102_0304_0506_0708, key: [9, 8], value: [7, 6, 5], stamp: 4)
        batch.delete(tree: 8, prefix: 1, key: [], stamp: 5)
        let source: [UInt8] = [0, 1, 2, 3, 4, 5]
        batch.put(
            tree: 9,
            prefix: .max,
            key: ByteRange(offset: 1, count: 2),
            value: ByteRange(offset: 4, count: 2),
            of: source.span.bytes,
            stamp: .max
        )
        #expect(batch.count == 3 && !batch.hasOnlyDeletions)
        #expect(batch.lowest == 1 && batch.highest == .max)
        let bytes = batch.bytes
        func record(_ offset: Int) throws -> Record {
            let record = Record(in: bytes.span.bytes, at: offset)
            return try #require(record)
        }
        let first = try record(0)
        #expect(first.tree == 7 && first.stamp == 4 && !first.isDeletion)
        #expect(first.prefix == 0x0102_0304_0506_0708)
        #expect(bytes.span.bytes.array(first.orderedKey) == [1, 2, 3, 4, 5, 6, 7, 8, 9, 8])
        #expect(
            bytes.span.bytes.array(first.key) == [9, 8]
                && bytes.span.bytes.array(first.value) == [7, 6, 5]
        )
        let second = try record(first.value.end)
        #expect(second.isDeletion && second.key.count == 0 && second.value.count == 0)
        let third = try record(second.value.end)
        #expect(
            bytes.span.bytes.array(third.key) == [1, 2]
                && bytes.span.bytes.array(third.value) == [4, 5]
        )
        #expect(third.value.end == bytes.count)
        let none = Record(in: bytes.span.bytes, at: third.value.end)
        #expect(none == nil)
    }

    @Test func `only deletions are known as such, and removing all forgets`() {
        var batch = WriteBatch()
        #expect(!batch.hasOnlyDeletions)
        batch.delete(tree: 1, prefix: 0, key: [1])
        #expect(batch.hasOnlyDeletions)
        batch.put(tree: 1, prefix: 0, key: [1], value: [])
        #expect(!batch.hasOnlyDeletions)
        batch.removeAll()
        #expect(batch.count == 0 && batch.sizeInBytes == 0 && !batch.hasOnlyDeletions)
    }

    @Test func `no bytes at all make reading a record trap`() {
        for length in 0...80 {
            for fill in [0, 0xFF, 0x7F] as [UInt8] {
                let bytes = [UInt8](repeating: fill, count: length)
                if let record = Record(in: bytes.span.bytes, at: 0) {
                    #expect(record.value.end <= length)
                }
            }
        }
    }
}
