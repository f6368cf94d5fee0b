import ClusterPrimitives
import Testing

@testable import StarlingClient

@Suite struct `The nearest name` {
    @Test(arguments: [
        ("demp", "demo"), ("edmo", "demo"), ("DEMO", "demo"), ("user", "users"), ("usres", "users"),
    ])
    func `a mistyped name finds what was meant`(_ typed: String, _ meant: String) {
        #expect(NearestName.of(typed, among: ["demo", "users"]) == meant)
    }

    @Test func `a name unlike all others finds none unless any will do`() {
        #expect(NearestName.of("orders", among: ["demo", "users"]) == nil)
        #expect(NearestName.closest(to: "orders", among: ["demo", "users"]) == "users")
        #expect(NearestName.closest(to: "", among: []) == nil)
    }
}
