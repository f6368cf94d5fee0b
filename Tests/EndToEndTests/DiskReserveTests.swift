import Foundation
import Testing

@Suite(.serialized) struct `A node whose disk is at its reserve` {
    @Test func `refuses values by the reserve's name, and goes on reading and deleting`()
        async throws
    {
        try await TestCluster.run(nodes: 1) { cluster in
            #expect(try await cluster.starling("put", "demo/k", "1").exit == 0)
            #expect(try await cluster.dev("stop").exit == 0)
            let file = cluster.folder.appending(path: "cluster/nodes/dc1-n1/node.yaml")
            let text = try String(contentsOf: file, encoding: .utf8)
            let reserved = text.replacing("disk_reserve: 64MiB", with: "disk_reserve: 1000000GiB")
            #expect(reserved != text, "\(text)")
            try Data(reserved.utf8).write(to: file)
            #expect(try await cluster.up().exit == 0)

            let refused = try await cluster.starling("put", "demo/k", "2", "-o", "json")
            #expect(refused.exit == 3, "\(refused)")
            #expect(refused.error["code"] as? String == "overloaded", "\(refused)")
            #expect(refused.error["written"] as? String == "no", "\(refused)")
            let message = refused.error["message"] as? String ?? ""
            #expect(message.contains("storage.disk_reserve"), "\(refused)")
            let get = try await cluster.starling("get", "demo/k", "-o", "json")
            #expect(get.value == "1", "\(get)")
            let deleted = try await cluster.starling("delete", "demo/k")
            #expect(deleted.exit == 0, "\(deleted)")
            #expect(try await cluster.starling("get", "demo/k").exit == 2)
        }
    }
}
