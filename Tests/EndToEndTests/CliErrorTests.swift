import ClusterPrimitives
import StarlingClient
import Testing

@testable import starling

@Suite struct `Errors of commands` {
    @Test func `an error is one line of what and one of what to do`() {
        let error = CommandError(
            StarlingError(
                .unavailable,
                "ALL needs 3 of 3 replicas of \"k\" in dc1;\nn2 is down.",
                advice: "Nothing was written."
            )
        )
        #expect(
            error.text == """
                error: unavailable: ALL needs 3 of 3 replicas of "k" in dc1; n2 is down.
                  Nothing was written.

                """
        )
    }

    @Test func `its JSON has the contract's keys in their order`() {
        let error = CommandError(
            StarlingError(.unavailable, "m", level: .all, required: 3, alive: 2, written: .no)
        )
        #expect(
            error.json.text == """
                {"error":{"code":"unavailable","message":"m","level":"ALL","required":3,\
                "alive":2,"written":"no"}}
                """
        )
    }

    @Test(arguments: [
        (StarlingError.Code.notFound, Int32(2), "not_found"), (.unavailable, 3, "unavailable"),
        (.overloaded, 3, "overloaded"), (.timeout, 4, "timeout"), (.conflict, 5, "conflict"),
        (.forbidden, 6, "forbidden"), (.invalid, 64, "invalid"), (.tooLarge, 64, "too_large"),
        (.corrupt, 1, "corrupt"), (.internal, 1, "internal"), (.cannotConnect, 69, "unavailable"),
        (.tls, 6, "forbidden"), (.protocolViolation, 1, "internal"),
    ])
    func `each kind has its exit code and one of the contract's names`(
        _ code: StarlingError.Code,
        _ exit: Int32,
        _ name: String
    ) {
        let error = CommandError(StarlingError(code, "m"))
        #expect(error.exit.rawValue == exit)
        #expect(error.code == name)
    }
}
