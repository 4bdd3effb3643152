import Checkpoint
import Crypto
import Foundation
import LinearAlgebra
import Ranks

/// What has to be the same on all ranks of a job, or its bytes would depend on who computes what.
///
/// Factorisations are repeated by every rank, so all need processors for which BLAS has the same kernels; other parts' bits depend on the
/// kernels as well.
struct RankAgreement: Codable, Equatable {
  /// By what they are of.
  private let facts: [String: String]

  /// - Parameters:
  ///   - checkpoint: That is quantized.
  ///   - calibration: nil for methods without calibration.
  ///   - source: What blocks are made from.
  init(checkpoint: CheckpointFolder, calibration: CalibrationData?, source: BlockSource) throws {
    let tensors = try checkpoint.tensorNames.map { "\($0) \(try checkpoint.info($0).shape)" }
    facts = [
      "BLAS library": BLASLibrary.configuration, "BLAS kernels of the processor": BLASLibrary.core,
      "bits of BLAS's products": BLASLibrary.productBits, "checkpoint": Self.digest(Array(tensors.joined(separator: "\n").utf8)),
      "calibration data": calibration.map { data in data.initial.tokens.withUnsafeBytes { Self.digest($0) } } ?? "",
    ].merging(source.digests) { $1 }
  }

  private static func digest(_ bytes: some Sequence<UInt8>) -> String { SHA256.hash(data: Data(bytes)).hexadecimal }

  /// - Throws: `QuantizationError.ranksDiffer`; `RankError`.
  func check(among ranks: any RankGroup) throws {
    guard ranks.count > 1 else { return }
    for (rank, other) in try ranks.gather(facts).enumerated() {
      for (name, fact) in facts.sorted(by: { $0.key < $1.key }) where other[name] != fact {
        throw QuantizationError.ranksDiffer(what: name, ranks: [ranks.rank, rank].sorted())
      }
    }
  }
}
