import ArgumentParser
import JobModel
import StrictJSON

/// Options of damping and recovery, for a new job or another start.
package struct RecoveryOptions: ParsableArguments {
  @Option(help: "First damping, as a fraction of the Hessian's mean diagonal.") var dampPercent: Double?
  @Option(help: "history (begin at what worked in an earlier job) or fixed.", completion: .choice(of: DampingRequest.Start.self))
  var dampingStart: String?
  @Option(
    help: "Calibration sequences that a layer with few tokens goes on to, such as 256,512; none: never more.",
    transform: Self.counts) var escalateSamples: [[Int]] = []
  @Option(
    help: "What becomes of a layer that nothing cures: fail (the job), rtn (round it to nearest) or keep (in 16 bits).",
    completion: .choice(of: RecoveryRequest.Exhausted.self))
  var onExhausted: String?
  @Option(
    help: "What becomes of experts that few tokens reach: all_tokens (calibrated on the others' too), rtn or keep.",
    completion: .choice(of: MixtureRequest.Starved.self))
  var starvedExperts: String?

  package init() {}

  /// `{"quantization": …, "damping": …, "recovery": …, "moe": …}`, of each what was given.
  package var request: JSONObject {
    let samples = escalateSamples.isEmpty ? nil : JSONValue.array(escalateSamples.joined().map { .integer(Int64($0)) })
    return JSONObject(given: [
      ("quantization", JSONObject(given: [("damp_percent", dampPercent.map(JSONValue.number))]).valueIfAny),
      ("damping", JSONObject(given: [("start", dampingStart.map(JSONValue.string))]).valueIfAny),
      ("recovery", JSONObject(given: [("escalate_samples", samples), ("on_exhausted", onExhausted.map(JSONValue.string))]).valueIfAny),
      ("moe", JSONObject(given: [("starved", starvedExperts.map(JSONValue.string))]).valueIfAny),
    ])
  }

  private static func counts(_ text: String) throws -> [Int] {
    if text == "none" { return [] }
    return try text.split(separator: ",", omittingEmptySubsequences: false).map { part in
      guard let count = Int(part) else { throw ValidationError("Give numbers with commas between, such as 256,512, or none.") }
      return count
    }
  }
}
