/** Something that is fetched anew at most once in a while, however many ask for it. */
export class Recent<Value> {
  private fetched: Promise<Value> | undefined;

  constructor(
    private readonly fetch: () => Promise<Value>,
    private readonly milliseconds: number,
  ) {}

  /** As it was when it was fetched last, at most so many milliseconds ago. What fails is fetched again at once. */
  get(): Promise<Value> {
    this.fetched ??= this.fetch().then(
      (value) => {
        setTimeout(this.forget, this.milliseconds).unref();
        return value;
      },
      (error) => {
        this.forget();
        throw error;
      },
    );
    return this.fetched;
  }

  private forget = (): void => {
    this.fetched = undefined;
  };
}
