import Foundation
import Testing
import gptqctl

@Suite struct RequestBodyTests {
  @Test(
    "Options become the fields of a request; what isn't given isn't sent",
    arguments: [
      ("m", #"{"model":"m"}"#),
      ("m --bits 3 --group-size -1 --no-sym", #"{"quantization":{"bits":3,"group_size":-1,"sym":false},"model":"m"}"#),
      ("f.safetensors --kind layers", #"{"kind":"layers","model":"f.safetensors"}"#),
      ("m --mse --scale-refinement", #"{"quantization":{"mse":true,"scale_refinement":true},"model":"m"}"#),
      (
        "m --no-mse --no-scale-refinement --error-compensation 0.25",
        #"{"quantization":{"mse":false,"scale_refinement":false,"error_compensation":0.25},"model":"m"}"#
      ),
      (
        "m --method gptq --damp-percent 0.5 --damping-start fixed",
        #"{"quantization":{"method":"gptq","damp_percent":0.5},"damping":{"start":"fixed"},"model":"m"}"#
      ),
      (
        #"m --lm-head --dynamic {"-:.*z":{},"+:a":{"bits":8}} --starved-experts rtn"#,
        #"{"quantization":{"lm_head":true,"dynamic":{"-:.*z":{},"+:a":{"bits":8}}},"moe":{"starved":"rtn"},"model":"m"}"#
      ),
      ("--hub org/name", #"{"model":{"hub":"org/name"}}"#),
      ("--hub org/name --revision v1 --bits 8", #"{"quantization":{"bits":8},"model":{"hub":"org/name","revision":"v1"}}"#),
      ("m --escalate-samples 256,512", #"{"recovery":{"escalate_samples":[256,512]},"model":"m"}"#),
      (
        "m --escalate-samples 64 --on-exhausted keep --escalate-samples 128",
        #"{"recovery":{"escalate_samples":[64,128],"on_exhausted":"keep"},"model":"m"}"#
      ),
      ("m --escalate-samples none", #"{"recovery":{"escalate_samples":[]},"model":"m"}"#),
      (
        "m --calibration wiki --samples 64 --evaluation held --priority 2 --on-exhausted rtn",
        #"{"recovery":{"on_exhausted":"rtn"},"calibration":{"dataset":"wiki","samples":64},"evaluation":{"dataset":"held"},"priority":2,"model":"m"}"#
      ),
    ])
  func submits(line: String, json: String) throws {
    let command = try Submit.parse(line.split(separator: " ").map(String.init))
    #expect(try Self.object(command.body()) == Self.object(Data(json.utf8)))
  }

  @Test(
    "A retry sends what is to change, or nothing",
    arguments: [
      ("latest", nil), ("latest --watch", nil), ("latest --on-exhausted rtn", #"{"recovery":{"on_exhausted":"rtn"}}"#),
      (
        "latest --damp-percent 0.25 --damping-start history --escalate-samples 256 --escalate-samples 512,1024 --watch",
        #"{"quantization":{"damp_percent":0.25},"damping":{"start":"history"},"recovery":{"escalate_samples":[256,512,1024]}}"#
      ),
      ("latest --escalate-samples none", #"{"recovery":{"escalate_samples":[]}}"#),
      ("latest --starved-experts keep", #"{"moe":{"starved":"keep"}}"#),
    ] as [(String, String?)])
  func retries(line: String, json: String?) throws {
    let body = try Retry.parse(line.split(separator: " ").map(String.init)).body
    #expect(try body.map(Self.object) == json.map { try Self.object(Data($0.utf8)) })
  }

  @Test(
    "Wrong options are refused before anything is sent",
    arguments: [
      "", "m --file request.json", "m --hub org/name", "--hub org/name --file request.json", "m --revision v1", "--revision v1",
      "--file request.json --mse", "--file request.json --on-exhausted rtn",
      "--file request.json --escalate-samples none", "m --escalate-samples many", "m --escalate-samples 256,,512",
      "m --escalate-samples 256;512", "m --escalate-samples 99999999999999999999", "m --error-compensation half",
      "m --recovery rtn",
    ])
  func refuses(line: String) {
    #expect(throws: (any Error).self) { try Submit.parse(line.split(separator: " ").map(String.init)) }
  }

  @Test("A retry has no options of a new job", arguments: ["", "latest --bits 3", "latest --kind layers", "latest other"])
  func refusesToRetry(line: String) {
    #expect(throws: (any Error).self) { try Retry.parse(line.split(separator: " ").map(String.init)) }
  }

  private static func object(_ json: Data) throws -> NSDictionary {
    try #require(JSONSerialization.jsonObject(with: json) as? NSDictionary)
  }
}
