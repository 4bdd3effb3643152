import Checkpoint
import Crypto
import Foundation
import JobModel
import LinearAlgebra
import Quantization

/// Tells whether files are still those that something was made from, without reading them.
enum SourceFingerprint {
  /// Of the model, for what was learned from it: a copy made with its times counts as the same.
  ///
  /// - Parameter url: A model folder, of which config.json, the tokenizer and the weights count, or a file.
  static func model(_ url: URL) -> String { digest(files(of: url).map { description($0, strict: false) }) }

  /// Of the calibration data and how it is cut, for the same; empty where there is none.
  static func calibration(_ request: CalibrationRequest?, file: URL?) -> String {
    guard let request, let file else { return "" }
    return digest([description(file, strict: false)] + cut(request))
  }

  /// Of all that the perplexity of a model depends on.
  static func evaluation(_ request: EvaluationRequest, file: URL, of model: URL) -> String {
    digest(
      files(of: model).map { description($0, strict: true) }
        + [description(file, strict: true), "\(request.samples ?? 0)", "\(request.sequenceLength ?? 0)", program])
  }

  /// Of everything that a finished block depends on; damping and recovery may change between two starts of a job. A file that was
  /// written since is another one, whatever its bytes and times say.
  static func blocks(_ request: JobRequest, _ files: JobFiles) throws -> BlockSource {
    var quantization = request.quantization
    quantization.dampPercent = 0
    let dataset = files.calibration.map { [description($0, strict: true)] } ?? []
    return BlockSource([
      "the model": digest(Self.files(of: files.model).map { description($0, strict: true) }),
      "the dataset": digest(dataset),
      "the request": digest(
        (request.calibration.map(cut) ?? []) + [String(decoding: try APICoding.encode(quantization), as: UTF8.self)]),
      "gptqd or a library of it": program,
    ])
  }

  /// Of this program, the BLAS that it is linked with, and the kernels that this chose for the processor.
  private static let program: String = {
    let executable = URL(filePath: "/proc/self/exe")
    let hash = (try? FileDigest(of: executable, checkCancellation: {}))?.sha256 ?? "unknown"
    return digest([hash, BLASLibrary.configuration, BLASLibrary.core])
  }()

  private static func files(of url: URL) -> [URL] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: url.path).sorted()) ?? []
    guard !names.isEmpty else { return [url] }
    return names.filter {
      $0 == "config.json" || $0 == "tokenizer.json" || $0.hasSuffix(".safetensors") || $0.hasSuffix(".safetensors.index.json")
    }
    .map { url.appending(component: $0) }
  }

  private static func cut(_ request: CalibrationRequest) -> [String] {
    ["\(request.samples ?? 0)", "\(request.sequenceLength ?? 0)", "\(request.seed)"]
  }

  /// - Parameter strict: With what changes at every write, and can't be set.
  private static func description(_ file: URL, strict: Bool) -> String {
    guard let identity = FileIdentity(of: file) else { return "\(file.path) isn't there" }
    let description = "\(file.path) \(identity.size) \(identity.modified)"
    return strict ? description + " \(identity.changed) \(identity.inode)" : description
  }

  private static func digest(_ parts: [String]) -> String { SHA256.hash(data: Data(parts.joined(separator: "\n").utf8)).hexadecimal }
}
