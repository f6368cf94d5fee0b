/// What became of a change of a set or a map.
public enum DeltaOutcome<State: Equatable & Sendable>: Equatable, Sendable {
    /// A delta to be joined with the state, here and on the other replicas.
    case changed(State)
    /// There was nothing to change.
    case unchanged
    /// The context has events that this state has not heard of: join other replicas' states
    /// first, since the removal would miss them.
    case behind
    /// A name, a value or an element is too long, or a name is empty.
    case invalid
    /// The actor's numbers or totals are used up.
    case exhausted
}
