import ArgumentParser
import Foundation
import Quantization

/// Options of jobs. Where one isn't given, the command decides.
struct JobOptions: ParsableArguments {
  @Option(help: "JSON Lines file of {\"input_ids\": […]}; otherwise random tokens.")
  var tokens: String?

  @Option(help: "Calibration sequences.")
  var samples: Int?

  @Option(help: "Tokens of a sequence.")
  var length: Int?

  @Option(help: "Seed of random tokens and weights.")
  var seed: UInt64 = 1

  @Option(help: "2, 3, 4 or 8.")
  var bits = 4

  @Option(help: "Input channels that share a scale; 0: all.")
  var group: Int?

  @Flag(help: "Without error compensation.")
  var noCompensation = false

  @Flag(help: "Without searched scales.")
  var noSearch = false

  @Flag(help: "Without refined scales.")
  var noRefinement = false

  @Flag(help: "Without any of the three.")
  var plain = false

  @Option(help: "GiB that the job may have resident; otherwise as many as it takes.")
  var memory: Double?

  func validate() throws {
    guard samples ?? 1 >= 1, length ?? 1 >= 1 else { throw ValidationError("--samples and --length must be at least 1") }
    guard [2, 3, 4, 8].contains(bits) else { throw ValidationError("--bits must be 2, 3, 4 or 8, is \(bits)") }
    guard group ?? 0 >= 0 else { throw ValidationError("--group must be at least 0, is \(group ?? 0)") }
    guard (memory ?? 1) > 0, (memory ?? 1) < 1e6 else { throw ValidationError("--memory must be more than 0 GiB, and less than a million") }
  }

  /// - Parameters:
  ///   - samples, length, group: Where nothing else is asked for.
  ///   - compensates: Whether errors are compensated where the command line doesn't say.
  func specification(model: URL, samples: Int, length: Int, group: Int = 128, compensates: Bool = true) -> JobSpecification {
    let usual = QuantizationOptions()
    let group = self.group ?? group
    return JobSpecification(
      model: model, tokens: tokens.map { URL(filePath: $0) }, samples: self.samples ?? samples, length: self.length ?? length, seed: seed,
      bits: bits, groupSize: group == 0 ? nil : group, searchesScales: usual.searchesScales && !plain && !noSearch,
      refinesScales: usual.refinesScales && !plain && !noRefinement,
      errorCompensation: plain || noCompensation || !compensates ? 0 : usual.errorCompensation,
      memoryLimit: memory.map { Int($0 * Double(1 << 30)) })
  }
}
