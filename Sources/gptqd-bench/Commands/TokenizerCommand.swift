import ArgumentParser
import Foundation

struct TokenizerCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tokenizer", abstract: "Our tokenizer beside the tokenizers library: ids of random strings, and speed on one core.")

  @OptionGroup var options: RunOptions

  @Option(help: "Folder with tokenizer.json.")
  var model: String

  @Option(help: "Text whose lines are timed.")
  var text: String

  @Option(help: "Random strings.")
  var strings = 20_000

  @Option(help: "Chooses the strings.")
  var seed = 1

  @Option(help: "Python that has tokenizers.")
  var python: String

  func run() throws {
    try options.report { session, report in
      report.add(
        try TokenizerBenchmark(
          tokenizer: URL(filePath: model).appending(component: "tokenizer.json"), text: URL(filePath: text), strings: strings, seed: seed,
          python: URL(filePath: python), session: session
        ).measure())
    }
  }
}
