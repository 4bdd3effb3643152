import Foundation
import Service
import Testing

/// Against what git 2.39 says of the same bytes (`git hash-object`, `git write-tree`).
@Suite struct GitObjectTests {
  private static let pointer = LFSPointer(sha256: "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393", size: 12345)

  @Test(arguments: [
    ("", "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"), ("hello world\n", "3b18e512dba79e4c8300dd08aeb37f8e728b8dad"),
    ("{}\n", "0967ef424bce6791893e9a57bb952f80fd536e93"), ("x", "c1b0730e0133447badcfd47fd144e254807b06e1"),
  ])
  func blobs(content: String, oid: String) { #expect(GitObject.oid(ofBlob: Data(content.utf8)) == oid) }

  @Test func pointersToLargeFiles() {
    #expect(GitObject.oid(ofBlob: Self.pointer.data) == "60c8d8ab2adcf57a391163a7eeb0cdb8bf348e44")
  }

  @Test func folders() {
    let deep = GitObject.oid(ofTree: [
      .init(name: "w.safetensors", isFolder: false, oid: GitObject.oid(ofBlob: Self.pointer.data))
    ])
    #expect(deep == "f7b9f2d87d56d0f02c9da0cc925e6e68e1432117")
    let sub = GitObject.oid(ofTree: [
      .init(name: "x.json", isFolder: false, oid: "c1b0730e0133447badcfd47fd144e254807b06e1"),
      .init(name: "deep", isFolder: true, oid: deep),
    ])
    #expect(sub == "70b000f31294542397224ed073af28ef1c9b4fd2")
    // The folder "a" sorts behind "a-b" and "a.txt", as "a/".
    let root = GitObject.oid(ofTree: [
      .init(name: "a", isFolder: true, oid: "417c01c8795a35b8e835113a85a5c0c1c77f67fb"), .init(name: "sub", isFolder: true, oid: sub),
      .init(name: "a.txt", isFolder: false, oid: "3b18e512dba79e4c8300dd08aeb37f8e728b8dad"),
      .init(name: "a-b", isFolder: false, oid: "63d8dbd40c23542e740659a7168a0ce3138ea748"),
      .init(name: "config.json", isFolder: false, oid: "0967ef424bce6791893e9a57bb952f80fd536e93"),
    ])
    #expect(root == "edac86c683f3131894cffeb10dd87455b478f492")
    #expect(GitObject.oid(ofTree: []) == "4b825dc642cb6eb9a060e54bf8d69288fbee4904")
  }
}
