/// The fields that a submission and a retry have in common; nil where one is absent, null or wrong.
extension RequestReader {
  mutating func dampPercent() -> Double? { double("damp_percent", in: 0...1) }

  mutating func dampingStart() -> DampingRequest.Start? { choice("start", of: DampingRequest.Start.self) }

  mutating func escalateSamples() -> [Int]? { risingInts("escalate_samples", in: 1...(1 << 20), atMost: 16) }

  mutating func starvedExperts() -> MixtureRequest.Starved? { choice("starved", of: MixtureRequest.Starved.self) }

  mutating func onExhausted() -> RecoveryRequest.Exhausted? { choice("on_exhausted", of: RecoveryRequest.Exhausted.self) }
}
