import Checkpoint
import Foundation
import JobModel
import Quantization
import StrictJSON
import Testing
import Tokenization
import Transformer

extension DaemonTorture {
  /// Parsers of what comes from outside, on damaged documents: an error of their own or a value, never a trap.
  @Suite(.serialized) struct FuzzTests {
    /// Tries damaged documents for as long as `Torture` says.
    ///
    /// - Parameters:
    ///   - read: Reads the file.
    ///   - isExpected: Whether an error is one that the parser may throw.
    private static func fuzz(
      _ name: String, _ seeds: [[UInt8]], stream: UInt64, _ read: (URL) throws -> Void, isExpected: (any Error) -> Bool
    ) throws {
      let folder = FileManager.default.temporaryDirectory.appending(component: "gptqd-fuzz-\(UUID().uuidString.prefix(8))")
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      // Stays where the process traps: it is the input that did it.
      let file = folder.appending(component: name)
      var mutator = Mutator(seeds, stream: stream)
      let start = ContinuousClock.now
      var memory: Int?
      var count = 0
      var taken = 0
      while ContinuousClock.now - start < Torture.fuzzing {
        let document = mutator.next()
        try Data(document).write(to: file)
        count += 1
        let began = ContinuousClock.now
        do {
          try read(file)
          taken += 1
        } catch {
          if !isExpected(error) { try keep(document, "\(name) \(count): \(type(of: error)): \(error)") }
        }
        if ContinuousClock.now - began > .seconds(10) { try keep(document, "\(name) \(count) took \(ContinuousClock.now - began)") }
        if memory == nil, ContinuousClock.now - start > Torture.fuzzing / 5 { memory = residentBytes }
      }
      let growth = residentBytes - (memory ?? residentBytes)
      // In `make test` the process runs other tests at the same time.
      #expect(growth < (Torture.isLong ? 64 : 768) << 20, "\(name): \(growth) bytes more after \(count) documents; \(Torture.seedNote)")
      print("torture: \(count) documents for \(name), \(taken) of them taken, memory grew by \(growth >> 10) KiB")
      try FileManager.default.removeItem(at: folder)
    }

    private static func keep(_ document: [UInt8], _ message: String) throws {
      let kept = FileManager.default.temporaryDirectory.appending(component: "gptqd-fuzz-found-\(UUID().uuidString.prefix(8))")
      try Data(document).write(to: kept)
      Issue.record("\(message) [\(kept.path)]; \(Torture.seedNote)")
    }

    private static var residentBytes: Int {
      let fields = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8))?.split(separator: " ") ?? []
      return (fields.count > 1 ? Int(fields[1]) ?? 0 : 0) * Int(sysconf(Int32(_SC_PAGESIZE)))
    }

    private static func bytes(_ url: URL) throws -> [UInt8] { Array(try Data(contentsOf: url)) }

    @Test("safetensors headers")
    func safetensors() throws {
      let whole = try Self.bytes(Fixtures.model("qwen2").appending(component: "model.safetensors"))
      let stacked = try Self.bytes(Fixtures.model("llama3-rope-fp16").appending(component: "model.safetensors"))
      // Small ones, so that changes hit the header.
      let small = ["{\"a\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0,16]}}", "{\"__metadata__\":{\"format\":\"pt\"}}"]
        .map { header in
          withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Array($0) } + Array(header.utf8)
            + [UInt8](repeating: 1, count: header.contains("16") ? 16 : 0)
        }
      let headers = [whole, stacked].map { bytes -> [UInt8] in
        let length = bytes.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
        return Array(bytes.prefix(8 + length))
      }
      try Self.fuzz(
        "model.safetensors", small + headers + small, stream: 10,
        { file in
          let opened = try SafetensorsFile(file)
          for tensor in opened.tensors { try opened.withBytes(of: tensor.name) { _ = $0.reduce(0, &+) } }
        }, isExpected: { $0 is CheckpointError })
    }

    @Test("tokenizer.json")
    func tokenizer() throws {
      let names = ["llama2", "llama3", "qwen2", "smollm2"]
      let bases = try names.map { try JSONValue(parsing: Self.bytes(Fixtures.tokenizer("\($0)/tokenizer.json"))) }
      var seeds = bases.map { Array($0.serialized().utf8) }
      for variant in try JSONValue(parsing: Self.bytes(Fixtures.tokenizer("variants.json"))).arrayValue ?? [] {
        guard let index = names.firstIndex(of: variant["base"]?.stringValue ?? ""), var document = bases[index].objectValue
        else { continue }
        for (name, value) in variant["changes"]?.objectValue?.members.map({ ($0, $1) }) ?? [] { document[name] = value }
        seeds.append(Array(JSONValue.object(document).serialized().utf8))
      }
      try Self.fuzz(
        "tokenizer.json", seeds, stream: 11,
        { file in
          let tokenizer = try Tokenizer(contentsOf: file)
          for text in ["", "In the beginning 1234  e\u{301}\n\n\u{1f468}\u{200d}\u{1f469} don't", "<|endoftext|></s>\0"] {
            _ = try tokenizer.encode(text, addSpecialTokens: true)
          }
        }, isExpected: { $0 is TokenizerError })
    }

    @Test("config.json")
    func configuration() throws {
      let names = ["gemma2", "gemma3", "llama3-rope-fp16", "mixtral", "phi3", "qwen2", "qwen2-moe", "qwen3-moe", "mistral-sliding"]
      let seeds = try names.map { try Self.bytes(Fixtures.model($0).appending(component: "config.json")) }
      try Self.fuzz(
        "config.json", seeds, stream: 12, { _ = try ModelConfiguration(folder: $0.deletingLastPathComponent()) },
        isExpected: { $0 is ModelError })
    }

    @Test("JSON Lines")
    func dataset() throws {
      let texts = ["{\"text\": \"In the beginning\"}", "{\"text\": \"\\u00e9\\ud83d\\ude00\", \"source\": [1, 2.5, null]}"]
      let seeds = [Fixtures.tokenRows(3), texts, Fixtures.tokenRows(1) + [""] + texts].map { Array($0.joined(separator: "\n").utf8) }
      try Self.fuzz("data.jsonl", seeds, stream: 13, { _ = try TextDataset(contentsOf: $0) }, isExpected: { $0 is DatasetError })
    }

    @Test("Bodies of jobs")
    func bodies() throws {
      let seeds = [
        Site.request,
        #"{"kind": "layers", "model": "a.safetensors", "quantization": {"bits": 3, "group_size": -1, "desc_act": true}}"#,
        """
        {"model": "m", "quantization": {"method": "gptq", "bits": 8, "group_size": 64, "sym": false, "desc_act": false,
         "act_group_aware": true, "damp_percent": 0.05, "format": "gptq_v2", "mse": true, "scale_refinement": true,
         "error_compensation": 0.5, "lm_head": false, "dynamic": {"-:.*0.*": {}, "+:.*down": {"bits": 8, "group_size": 64}}},
         "damping": {"start": "fixed"}, "recovery": {"escalate_samples": [256, 512], "on_exhausted": "rtn"},
         "moe": {"starved": "all_tokens"}, "calibration": {"dataset": "d", "samples": 128, "sequence_length": 2048, "seed": 7},
         "evaluation": {"dataset": "d", "samples": 24, "sequence_length": 512}, "priority": -5}
        """,
      ].map { Array($0.utf8) }
      try Self.fuzz(
        "job.json", seeds, stream: 14, { file in _ = try JobRequest(parsing: JSONValue(parsing: Self.bytes(file))) },
        isExpected: { $0 is Problem || $0 is JSONSyntaxError })
    }
  }
}
