import Crypto
import Foundation
import JobModel

/// Tells whether files are still those that something was made from: by names, sizes and times of change, which takes no reading.
enum SourceFingerprint {
  /// - Parameter url: A model folder, of which config.json and the weights count, or a file.
  static func files(_ url: URL) -> String {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: url.path).sorted()) ?? []
    let parts =
      names.isEmpty
      ? [url]
      : names.filter { $0 == "config.json" || $0 == "tokenizer.json" || $0.hasSuffix(".safetensors") }.map { url.appending(component: $0) }
    return digest(parts.map(description))
  }

  /// Of the calibration data and how it is cut; empty where there is none.
  static func calibration(_ request: CalibrationRequest?, file: URL?) -> String {
    guard let request, let file else { return "" }
    return digest([
      description(file.resolvingSymlinksInPath()), "\(request.samples ?? 0)", "\(request.sequenceLength ?? 0)", "\(request.seed)",
    ])
  }

  /// Of everything that a finished block depends on; damping and recovery may change between two starts of a job.
  static func blocks(model: String, calibration: String, _ request: QuantizationRequest) throws -> String {
    var request = request
    request.dampPercent = 0
    return digest([model, calibration, String(decoding: try APICoding.encode(request), as: UTF8.self)])
  }

  private static func description(_ file: URL) -> String {
    let attributes = try? FileManager.default.attributesOfItem(atPath: file.resolvingSymlinksInPath().path)
    let size = (attributes?[.size] as? Int) ?? -1
    let time = (attributes?[.modificationDate] as? Date)?.timeIntervalSince1970 ?? 0
    return "\(file.path) \(size) \(time)"
  }

  private static func digest(_ parts: [String]) -> String {
    SHA256.hash(data: Data(parts.joined(separator: "\n").utf8)).map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
  }
}
