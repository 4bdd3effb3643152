import Testing

/// Of all suites that start browsers, Pythons or shells, one after the other: the machine may have two cores.
@Suite(.serialized) enum ProgramTests {}
