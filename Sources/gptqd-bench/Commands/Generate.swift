import ArgumentParser
import Foundation

struct Generate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Writes a checkpoint of random weights in bfloat16, shaped like Qwen2-7B.",
    discussion: "It has no tokenizer: jobs on it need rows of input_ids.")

  @OptionGroup var shape: ShapeOptions

  @Option(help: "Seed of the weights.")
  var seed: UInt64 = 1

  @Argument(help: "Folder to write to.")
  var folder: String

  func run() throws {
    let checkpoint = try RandomCheckpoint(shape.shape, seed: seed)
    Report.note("writing \(checkpoint.byteCount / 1_000_000) MB to \(folder)")
    try checkpoint.write(to: URL(filePath: folder))
  }
}
