/// What must not stand in code, and what stands there instead.
struct BannedWord {
    /// A pattern over one line of code.
    var pattern: Regex<AnyRegexOutput>
    /// What it is called in the finding.
    var name: String
    /// Why not, and what instead.
    var advice: String

    /// Banned in pure modules: what makes two runs differ.
    static var inPureModules: [BannedWord] {
        [
            BannedWord(
                pattern: Regex(
                    /\b(ContinuousClock|SuspendingClock|Date|DispatchTime|NIODeadline)(\(\))?\.now\b/
                ),
                name: "the present time",
                advice: "time is an argument; take `at now: MonotonicInstant` or an `Instant`"
            ),
            BannedWord(
                pattern: Regex(/\b(U?Int\d*|Double|Float|Bool)\.random\((?!.*using:)/),
                name: ".random(…)",
                advice: "draw from a `SeededRandom` that the machine owns"
            ),
            BannedWord(
                pattern: Regex(/\.(shuffled|shuffle|randomElement)\(\)/),
                name: "a shuffle or choice without a generator",
                advice: "pass `using:` a `SeededRandom` that the machine owns"
            ),
            BannedWord(
                pattern: Regex(/\bSystemRandomNumberGenerator\b/),
                name: "SystemRandomNumberGenerator",
                advice: "take random bytes or a `SeededRandom` as an argument"
            ),
            BannedWord(
                pattern: Regex(/\b(UUID|Date)\(\)/),
                name: "a value of the moment",
                advice: "take it as an argument; the worlds make such values"
            ),
            BannedWord(
                pattern: Regex(/\bTask\s*(\{|\.|\()/),
                name: "Task",
                advice: "order would be the executor's; answer with an effect, the worlds run it"
            ),
            BannedWord(
                pattern: Regex(/\bawait\b/),
                name: "await",
                advice:
                    "pure logic never waits; answer with an effect and take the result as an event"
            ),
            BannedWord(
                pattern: Regex(/\basync\b/),
                name: "async",
                advice:
                    "pure logic never waits; answer with an effect and take the result as an event"
            ),
            BannedWord(
                pattern: Regex(/\bactor\s+\w+/),
                name: "actor",
                advice: "use a struct with one owner; actors are for public async surfaces"
            ),
            BannedWord(
                // A call; `func` before the name makes it a declaration.
                pattern: Regex(/(^|[^.\w\s]|(^|[^c])\s)(print|debugPrint|dump)\(/),
                name: "print(",
                advice: "answer with a notice among the effects; the worlds write logs"
            ),
            BannedWord(
                pattern: Regex(/\.hashValue\b|\bHasher\(\)/),
                name: "a hash that is seeded anew in each process",
                advice: "use `Hash64` of ByteCoding"
            ),
        ]
    }

    /// Banned everywhere in `Sources/`.
    static var everywhere: [BannedWord] {
        [
            BannedWord(
                pattern: Regex(/\btry!/),
                name: "try!",
                advice: "declare `throws(…)`, or handle the error where it can be explained"
            ),
            BannedWord(
                pattern: Regex(/\bfatalError\(/),
                name: "fatalError(",
                advice:
                    "throw a typed error; for a bug, `precondition` with the state in the message"
            ),
            BannedWord(
                pattern: Regex(/\bas!\s/),
                name: "as!",
                advice: "use `as?` and say what was found instead"
            ),
        ]
    }
}
