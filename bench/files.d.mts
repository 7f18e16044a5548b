/** The test suites use the same data as the benchmark. */
export declare function makeFile(path: string, size: number): void;
export declare function makeTree(root: string, count: number, size: number): void;
export declare function sameFile(a: string, b: string): void;
export declare function sameTree(a: string, b: string): void;
