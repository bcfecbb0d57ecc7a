import Testing
@Test func placeholderCheckpointing() {}
