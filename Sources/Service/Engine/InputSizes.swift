import Checkpoint
import Foundation

/// Files that are read whole, so that their sizes have to be known before.
enum InputSizes {
  struct TooLarge: Error, CustomStringConvertible {
    let file: String
    let bytes: Int
    let limit: Int

    var description: String {
      "\(file) has \(bytes) bytes, and reading it takes more memory than a job may use: \(limit) bytes are possible; make it smaller, "
        + "or raise compute.memory_limit"
    }
  }

  /// What parsing takes at most, as a multiple of the bytes: rows are read line by line, documents become trees.
  private static let (rows, document) = (4, 32)

  /// - Parameter memory: Bytes that a job may use.
  /// - Throws: `TooLarge`.
  static func check(_ files: JobFiles, memory: Int) throws {
    for dataset in [files.calibration, files.evaluation] {
      if let dataset { try check(dataset, limit: memory / rows) }
    }
    for name in ["config.json", "tokenizer.json", "model.safetensors.index.json"] {
      try check(files.model.appending(component: name), limit: memory / document)
    }
  }

  private static func check(_ file: URL, limit: Int) throws {
    guard let size = FileIdentity(of: file)?.size, size > limit else { return }
    throw TooLarge(file: file.lastPathComponent, bytes: size, limit: limit)
  }
}
