import ClientProtocol
import ClusterPrimitives
import Testing

@testable import StarlingClient

@Suite struct `A scan's position` {
    @Test func `it comes back from its bytes`() {
        for cursor in [
            ScanCursor.start, ScanCursor(token: 9, after: [0, 255]),
            ScanCursor(token: .max, after: []),
        ] {
            let position = ScanPosition(cursor)
            #expect(ScanPosition(bytes: position.bytes)?.cursor == cursor)
        }
    }

    @Test func `bytes that were cut or changed in length are no position`() {
        let bytes = ScanPosition(ScanCursor(token: 9, after: [1, 2, 3])).bytes
        for count in 0..<bytes.count {
            #expect(ScanPosition(bytes: Array(bytes.prefix(count))) == nil)
        }
        #expect(ScanPosition(bytes: bytes + [0]) == nil)
    }
}
